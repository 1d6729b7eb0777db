import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from probe.v1 import Baked, Rung

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub
from protomesh.runtime import App, Mesh
from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.eventful import NoDatabaseForEvents, bound_to, events_of
from protomesh.runtime.events import Delivery, NotPublishable, on, publish
from protomesh.runtime.events.consumers import SubscriptionsDiffer
from protomesh.runtime.events.transport import MeshTransport, Undelivered
from protomesh.runtime.launch import Launch, environment
from protomesh.runtime.user import User
from protomesh.testing import running
from protomesh.testing.database import Databases


class Shelf:
    """Publishes a ring for each loaf, and remembers who asked for it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on(Baked)
    async def take(self, event: Baked, delivery: Delivery) -> None:
        """Rings; a loaf without a number can't be taken."""
        if not event.number:
            raise ValueError("which loaf?")
        self.seen.append((event.oven, event.number, delivery.publisher, delivery.user))
        await publish(delivery.tx, Rung(who=event.oven))


def launch(data: Path, stored: dict[str, str], **told: Any) -> Launch:
    """The environment of a worker whose egress leads nowhere."""
    values = environment("shelf", "unix:/nowhere", "unix:/nowhere", str(data), log="json", **told)
    return Launch.read({**values, **stored})


@pytest.fixture
def stored(database: Databases) -> dict[str, str]:
    """What names a migrated database."""
    url = database.url("protomesh.runtime.store")
    return {"PROTOMESH_DATABASE_URL": url.render_as_string(hide_password=False)}


async def test_a_worker_starts_only_if_code_and_mesh_yaml_agree(tmp_path: Path, stored: dict[str, str]) -> None:
    """Both ways; and there has to be a database to mark events in."""
    async with Mesh(launch(tmp_path, stored)) as mesh:
        with pytest.raises(SubscriptionsDiffer, match=r"shelf consumes probe.v1.Baked"):
            events_of(App(consumers=[Shelf()]), mesh, launch(tmp_path, stored))
        told = launch(tmp_path, stored, subscribes=["probe.v1.Baked"])
        with pytest.raises(SubscriptionsDiffer, match="no consumer learns of it"):
            events_of(App(), mesh, told)
        with pytest.raises(NoDatabaseForEvents, match="shelf consumes events and has no database"):
            events_of(App(consumers=[Shelf()]), mesh, told)
        async with mesh.database():
            events = events_of(App(consumers=[Shelf()]), mesh, told)
    assert len(events.servicers) == 1
    assert [job.name for job in events.jobs] == ["forget_events"]


async def test_a_worker_without_events_has_nothing_to_do_for_them(tmp_path: Path, stored: dict[str, str]) -> None:
    """It may be told who subscribes to what; without a database it publishes nothing."""
    async with Mesh(launch(tmp_path, stored)) as mesh:
        events = events_of(App(), mesh, launch(tmp_path, stored, subscribers={"probe.v1.Baked": ["shelf"]}))
        assert (list(events.servicers), list(events.jobs)) == ([], [])
        async with events.relayed():
            pass


async def test_a_worker_publishes_what_mesh_yaml_says_is_its_own(tmp_path: Path, stored: dict[str, str]) -> None:
    """Whether anybody subscribes to it or not."""
    told = launch(tmp_path, stored, subscribers={"probe.v1.Rung": []})
    async with Mesh(told) as mesh, mesh.database() as db:
        bound_to(mesh, told)
        async with db.begin() as tx:
            await publish(tx, Rung(who="me"))
            with pytest.raises(NotPublishable, match="not this service's"):
                await publish(tx, Baked(oven="left"))


@asynccontextmanager
async def root(mesh: Mesh, shelf: Shelf) -> AsyncGenerator[App]:
    """A composition root."""
    async with mesh.database():
        yield App(consumers=[shelf])


async def test_a_test_tells_consumers_of_events(stored: dict[str, str]) -> None:
    """Over gRPC, as a relay does; what they publish is in their outbox."""
    shelf = Shelf()
    async with running(lambda mesh: root(mesh, shelf), settings=stored) as service:
        await service.deliver(Baked(oven="left", number=1), Baked(oven="left", number=2))
        await service.deliver(Baked(oven="right", number=1), user=User("alice"), publisher="bakery")
        with pytest.raises(AssertionError, match=r"probe.v1.Baked was answered OUTCOME_FAILED internal error"):
            await service.deliver(Baked(oven="left"))
    assert shelf.seen == [
        ("left", 1, "test", None),
        ("left", 2, "test", None),
        ("right", 1, "bakery", User("alice")),
    ]


async def test_the_mesh_transport_names_the_subscriber(servers: Any) -> None:
    """The mesh finds the service by it; what can't be delivered says why."""
    from protomesh.events.v1.event_consumer_service_pb2 import DeliverResponse
    from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceServicer

    asked: list[Any] = []

    class Consumer(EventConsumerServiceServicer):
        async def Deliver(self, request: Any, context: Any) -> DeliverResponse:
            asked.append((context.metadata["x-protomesh-subscriber"], len(request.events)))
            return DeliverResponse(results=[Result(outcome=Result.OUTCOME_APPLIED)])

    channel = await servers.start(Consumer())
    transport = MeshTransport(MeshChannel(lambda _service: channel).stub(EventConsumerServiceStub))
    results = await transport.deliver("shelf", [Event(), Event()])
    assert [result.outcome for result in results] == [Result.OUTCOME_APPLIED]
    assert asked == [("shelf", 2)]
    nowhere = aio.insecure_channel("unix:/nowhere")
    with pytest.raises(Undelivered, match="UNAVAILABLE") as undelivered:
        await MeshTransport(MeshChannel(lambda _service: nowhere).stub(EventConsumerServiceStub)).deliver("shelf", [])
    assert not undelivered.value.late
    await nowhere.close()


async def test_a_worker_without_the_brokers_client_says_what_to_install(
    tmp_path: Path, stored: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not start, and the reason is no traceback."""
    monkeypatch.setitem(sys.modules, "nats", None)
    for name in [name for name in sys.modules if name.startswith("protomesh.runtime.events.b")]:
        monkeypatch.delitem(sys.modules, name)
    told = launch(
        tmp_path, stored, subscribes=["probe.v1.Baked"], events_url="nats://127.0.0.1:1", events_prefix="shop"
    )
    async with Mesh(told) as mesh, root(mesh, Shelf()) as app:
        with pytest.raises(CannotStart, match=r"pip install 'protomesh\[nats\]'"):
            events_of(app, mesh, told)
