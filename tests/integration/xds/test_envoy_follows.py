"""What the protocol's rules are for: a real Envoy that takes every change, quickly and in order."""

import asyncio
from typing import Any

import pytest

from protomesh.xds import Refused, Snapshot
from protomesh.xds.stream import Stream
from protomesh.xds.subscription import Response

Recorded = list[tuple[str, list[str], list[str]]]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """What is sent from now on: type, names, removed names."""
    sent: Recorded = []
    push = Stream.push

    def record(self: Stream, snapshot: Snapshot) -> list[Response]:
        responses = push(self, snapshot)
        sent.extend((r.type_url.rpartition(".")[2], [x.name for x in r.resources], list(r.removed)) for r in responses)
        return responses

    monkeypatch.setattr(Stream, "push", record)
    return sent


async def test_envoy_starts_with_nothing_but_ads(rig: Any, recorded: Recorded) -> None:
    """Everything arrives in the order in which it is needed, each resource once."""
    rig.cache.publish(rig.node, rig.mesh("a"))
    async with rig.envoy():
        await rig.wait_acknowledged()

    assert [type_name for type_name, _, _ in recorded] == [
        "Cluster",
        "ClusterLoadAssignment",
        "Listener",
        "RouteConfiguration",
    ]


async def test_a_changed_cluster_is_taken_within_a_second(rig: Any, recorded: Recorded) -> None:
    """Because its endpoints follow at once: Envoy would wait 15 s for them and not ask."""
    before = rig.mesh("a", "b")
    rig.cache.publish(rig.node, before)
    async with rig.envoy():
        await rig.wait_acknowledged()
        recorded.clear()

        rig.cache.publish(rig.node, before.with_resources(rig.cluster("a", "2s")))
        await rig.wait_acknowledged(timeout=1)

    assert recorded == [("Cluster", ["a"], []), ("ClusterLoadAssignment", ["a"], [])]


async def test_a_refused_cluster_is_set_aside_and_the_last_good_one_serves_on(rig: Any) -> None:
    """The good ones of the same response are applied; the reason is Envoy's own; a good version heals it."""
    before = rig.mesh("a", "b")
    rig.cache.publish(rig.node, before)
    async with rig.envoy() as envoy:
        await rig.wait_acknowledged()

        changed = before.with_resources(
            rig.cluster("a", "-1s"), *(r for n in "cdef" for r in (rig.cluster(n), rig.endpoints(n)))
        )
        rig.cache.publish(rig.node, changed)
        with pytest.raises(Refused, match=r"Cluster 'a' was refused: .*positive duration.* seconds: -1$"):
            await rig.cache.wait_acknowledged(rig.node, rig.cluster_type, ["a"], timeout=5)
        await rig.cache.wait_acknowledged(rig.node, rig.cluster_type, list("bcdef"), timeout=5)

        assert [r.name for r in rig.cache.status(rig.node).rejections(rig.cluster_type)] == ["a"]
        assert "a::" in await envoy.statistics.get("/clusters")

        rig.cache.publish(rig.node, changed.with_resources(rig.cluster("a", "3s")))
        await rig.wait_acknowledged()
        assert rig.cache.status(rig.node).rejections(rig.cluster_type) == ()


async def test_a_refused_route_table_leaves_the_last_good_one(rig: Any) -> None:
    """Of a type that is asked for by name too."""
    before = rig.mesh("a")
    rig.cache.publish(rig.node, before)
    async with rig.envoy():
        await rig.wait_acknowledged()
        good = before.get((rig.routes_type, "edge"))

        rig.cache.publish(rig.node, before.with_resources(rig.routes(("/", {"a": 0}))))
        with pytest.raises(Refused, match="RouteConfiguration 'edge' was refused"):
            await rig.cache.wait_acknowledged(rig.node, rig.routes_type, timeout=5)

        assert rig.cache.status(rig.node).acknowledged(rig.routes_type) == {"edge": good.version}


async def test_a_cluster_is_removed_after_the_routes_to_it(rig: Any, recorded: Recorded) -> None:
    """The new cluster first, then the routes, and the old cluster last."""
    rig.cache.publish(rig.node, rig.mesh("old"))
    async with rig.envoy():
        await rig.wait_acknowledged()
        recorded.clear()

        rig.cache.publish(rig.node, rig.mesh("new"))
        await rig.cache.wait_acknowledged(rig.node, rig.cluster_type, ["old", "new"], timeout=5)
        await rig.wait_acknowledged()

    assert [change for change in recorded if change[0] != "ClusterLoadAssignment"] == [
        ("Cluster", ["new"], []),
        ("RouteConfiguration", ["edge"], []),
        ("Cluster", [], ["old"]),
    ]


async def test_a_restarted_control_plane_sends_nothing(rig: Any, recorded: Recorded) -> None:
    """Envoy says what it holds, and equal content has equal versions."""
    rig.cache.publish(rig.node, rig.mesh("a", "b"))
    async with rig.envoy():
        await rig.wait_acknowledged()
        recorded.clear()

        await rig.restart_server()
        await rig.wait_acknowledged()

        assert recorded == []

        rig.cache.publish(rig.node, rig.mesh("a", "b").with_resources(rig.endpoints("a", f"{rig.run}/w.sock")))
        await rig.wait_acknowledged()
        assert recorded == [("ClusterLoadAssignment", ["a"], [])]


async def test_what_changed_while_the_control_plane_was_away_is_all_that_is_sent(rig: Any, recorded: Recorded) -> None:
    """Removals among it, once the routes that Envoy came with are replaced."""
    rig.cache.publish(rig.node, rig.mesh("a", "b"))
    async with rig.envoy():
        await rig.wait_acknowledged()
        await rig.server.stop()
        rig.cache.publish(rig.node, rig.mesh("c", "b"))
        recorded.clear()

        await rig.restart_server()
        await rig.cache.wait_acknowledged(rig.node, rig.cluster_type, ["a", "c"], timeout=10)
        await rig.wait_acknowledged()

    assert [change for change in recorded if change[0] != "ClusterLoadAssignment"] == [
        ("Cluster", ["c"], []),
        ("RouteConfiguration", ["edge"], []),
        ("Cluster", [], ["a"]),
    ]


async def test_two_envoys_of_one_node_are_both_waited_for(rig: Any) -> None:
    """As during a hot restart."""
    rig.cache.publish(rig.node, rig.mesh("a"))
    async with rig.envoy():
        await rig.wait_acknowledged()
        status = rig.cache.status(rig.node)
        other = Stream("the other one")
        rig.cache.attach(other, lambda: None)
        assert len(status.streams) == 1

        waiting = asyncio.create_task(rig.cache.wait_acknowledged(rig.node, rig.cluster_type, timeout=5))
        await waiting  # a stream that has not said who it is is nobody's

        rig.cache.detach(other)
