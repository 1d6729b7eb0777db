import asyncio

import pytest

from protomesh.xds.cache import ANY_NODE, Cache, NotAcknowledged, Refused
from protomesh.xds.resource import Resource
from protomesh.xds.snapshot import Inconsistent, Snapshot
from protomesh.xds.stream import Stream
from protomesh.xds.subscription import Request

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def cluster(name: str, content: str = "1") -> Resource:
    """A cluster of any content."""
    return Resource(type_url=CLUSTER, name=name, body=content.encode())


def endpoints(name: str, content: str = "1") -> Resource:
    """Endpoints of any content."""
    return Resource(type_url=ENDPOINTS, name=name, body=content.encode())


class Client:
    """A client of one type that counts how often it was woken."""

    def __init__(self, cache: Cache, type_url: str = CLUSTER, node: str = "n") -> None:
        self.cache = cache
        self.stream = Stream()
        self.stream.receive(Request(type_url=type_url, node=node, subscribe=("*",)))
        self.woken = 0
        cache.attach(self.stream, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def answer(self, error: str | None = None) -> None:
        snapshot = self.cache.snapshot(self.stream.node or "")
        assert snapshot is not None
        for response in self.stream.push(snapshot):
            self.stream.receive(Request(type_url=response.type_url, nonce=response.nonce, error=error))
        self.cache.answered()


async def test_a_node_without_a_snapshot_of_its_own_gets_the_common_one() -> None:
    """And its own as soon as there is one."""
    cache = Cache()
    assert cache.snapshot("n") is None

    cache.publish(ANY_NODE, Snapshot([cluster("common")]))
    cache.publish("other", Snapshot([cluster("other")]))

    assert [r.name for r in cache.snapshot("n") or ()] == ["common"]
    assert [r.name for r in cache.snapshot("other") or ()] == ["other"]


async def test_an_inconsistent_snapshot_is_not_published() -> None:
    """What was published before serves on."""
    cache = Cache()
    good = Snapshot([cluster("a")])
    cache.publish("n", good)
    dangling = Resource(type_url=ENDPOINTS, name="x", body=b"", needs=((CLUSTER, "nowhere"),))

    with pytest.raises(Inconsistent):
        cache.publish("n", Snapshot([dangling]))

    assert cache.snapshot("n") is good


async def test_endpoints_go_out_at_once() -> None:
    """Calls go to a place that is gone until they do."""
    cache = Cache()
    cache.publish("n", Snapshot([endpoints("a")]))
    client = Client(cache)

    cache.publish("n", Snapshot([endpoints("a", "2")]))

    assert client.woken == 1


async def test_a_burst_of_other_changes_goes_out_once() -> None:
    """The first waits a moment for the rest."""
    cache = Cache()
    cache.publish("n", Snapshot())
    client = Client(cache)
    woken = asyncio.Event()
    cache.attach(client.stream, woken.set)

    for content in "123":
        cache.publish("n", Snapshot([cluster("a", content)]))
        assert not woken.is_set()

    await asyncio.wait_for(woken.wait(), 5)
    client.answer()
    assert client.stream.took((CLUSTER, "a"), cluster("a", "3").version)


async def test_nobody_is_woken_by_what_changes_nothing() -> None:
    """Publishing the same again is free."""
    cache = Cache()
    cache.publish("n", Snapshot([endpoints("a")]))
    client = Client(cache)

    cache.publish("n", Snapshot([endpoints("a")]))

    assert client.woken == 0


async def test_waiting_ends_when_every_client_of_the_node_has_taken_it() -> None:
    """During a hot restart there are two."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    old, new, stranger = Client(cache), Client(cache), Client(cache, node="stranger")
    waiting = asyncio.create_task(cache.wait_acknowledged("n", CLUSTER, ["a"], timeout=5))

    old.answer()
    await asyncio.sleep(0)
    assert not waiting.done()
    new.answer()

    await waiting
    assert stranger.stream.status().types[CLUSTER].acknowledged == {}


async def test_waiting_for_a_removal_ends_when_nobody_holds_it() -> None:
    """A name that is not published is acknowledged when it is gone everywhere."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    client = Client(cache)
    client.answer()
    cache.publish("n", Snapshot())

    with pytest.raises(NotAcknowledged, match=r"node 'n' did not acknowledge Cluster a within 0.01 s"):
        await cache.wait_acknowledged("n", CLUSTER, ["a"], timeout=0.01)
    client.answer()
    await cache.wait_acknowledged("n", CLUSTER, ["a"], timeout=5)


async def test_waiting_for_a_type_is_about_all_that_a_client_follows() -> None:
    """Including one that it does not follow yet although there is something."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a"), endpoints("a")]))
    client = Client(cache)
    client.answer()

    await cache.wait_acknowledged("n", CLUSTER, timeout=5)
    with pytest.raises(NotAcknowledged):
        await cache.wait_acknowledged("n", ENDPOINTS, timeout=0.01)


async def test_waiting_for_a_node_that_is_away_says_so() -> None:
    """It is another mistake than a slow one."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))

    with pytest.raises(NotAcknowledged, match="node 'n', which is not connected, did not acknowledge"):
        await cache.wait_acknowledged("n", CLUSTER, timeout=0.01)


async def test_waiting_for_a_refused_resource_fails_at_once_with_the_reason() -> None:
    """It would wait for ever otherwise."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    client = Client(cache)
    client.answer(error="too blue")

    with pytest.raises(Refused, match="Cluster 'a' was refused: too blue"):
        await cache.wait_acknowledged("n", CLUSTER, timeout=5)
    assert [r.reason for r in cache.status("n").rejections(CLUSTER)] == ["too blue"]


async def test_whoever_follows_the_status_hears_of_every_answer() -> None:
    """So that a status can be shown as it changes."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    client = Client(cache)
    waiting = asyncio.create_task(cache.wait_answered(cache.answers))

    client.answer()

    await asyncio.wait_for(waiting, 5)
    cache.detach(client.stream)
    assert cache.status("n").streams == ()
