"""A composition root in the test's own process: everything that a worker runs, with fakes for what it calls."""

import itertools
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message
from grpc import aio

from protomesh.events.v1.event_consumer_service_pb2 import DeliverRequest, Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub
from protomesh.runtime.app import App
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.eventful import events_of
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.launch import Launch, environment
from protomesh.runtime.mesh import Mesh
from protomesh.runtime.server import Server
from protomesh.runtime.user import User
from protomesh.runtime.worker import CompositionRoot
from protomesh.testing.fake import Fake
from protomesh.testing.serving import identity
from protomesh.testing.stage import stage

__all__ = ["Running", "running"]

StubT = TypeVar("StubT")


class Running:
    """A service that runs, as its callers see it."""

    def __init__(self, app: App, channel: aio.Channel) -> None:
        self.app = app
        self._channel = channel

    def client(
        self, stub: Callable[[aio.Channel], StubT], *, user: User | None = None, caller: str | None = None
    ) -> StubT:
        """A client of the service, on somebody's behalf if `user` is given, or as another service of the mesh."""
        return MeshChannel(lambda _service: self._channel, metadata=identity(user, caller)).stub(stub)

    async def deliver(self, *events: Message, user: User | None = None, publisher: str = "test") -> None:
        """Tells the service's consumers of events, as another service's relay would; each call sends new ones.

        Raises:
            AssertionError: a consumer failed; its service's log says why.
        """
        request = DeliverRequest(events=[_delivered(event, user) for event in events])
        response = await self.client(EventConsumerServiceStub, caller=publisher).Deliver(request)
        for event, result in itertools.zip_longest(events, response.results):
            if result is None or result.outcome != Result.OUTCOME_APPLIED:
                outcome = "nothing" if result is None else f"{Result.Outcome.Name(result.outcome)} {result.message}"
                raise AssertionError(f"{event.DESCRIPTOR.full_name} was answered {outcome}")


def _delivered(event: Message, user: User | None) -> Event:
    delivered = Event(event_id=str(uuid.uuid4()), metadata=dict(user.metadata() if user is not None else ()))
    delivered.content.Pack(event)
    delivered.create_time.GetCurrentTime()
    return delivered


def _consumed(app: App) -> frozenset[str]:
    if not app.consumers:
        return frozenset()
    from protomesh.runtime.events.consumers import Consumers  # noqa: PLC0415 - needs an extra that not all have

    return frozenset(Consumers(app.consumers).events)


@asynccontextmanager
async def running(
    root: CompositionRoot,
    *,
    fakes: Sequence[Fake[Any]] = (),
    data: Path | None = None,
    settings: Mapping[str, str] | None = None,
    service: str = "test",
) -> AsyncGenerator[Running]:
    """Runs a composition root, with its jobs, as a worker does.

        async with running(app, fakes=[catalog], data=tmp_path) as orders:
            await orders.client(OrdersServiceStub, user=User("alice")).PlaceOrder(...)

    Args:
        root: `app` of the service's `app.py`.
        fakes: The services that it calls.
        data: The directory for its data, with a database whose migrations have run; an empty one if not given.
        settings: Environment variables for `mesh.settings`, and PROTOMESH_DATABASE_URL. The process's own are not seen.
        service: The service's name in mesh.yaml.

    Raises:
        AssertionError: a fake got a call that the test did not prepare, or a service was called that has no fake.
    """
    with tempfile.TemporaryDirectory(prefix="pm-") as directory:
        listen = f"unix:{directory}/s"
        environ = environment(
            service, listen, f"unix:{directory}/egress", str(data or Path(directory, "data")), log="console"
        )
        launch = Launch.read({**(settings or {}), **environ})
        egress = _Egress(fakes)
        stage().add(egress)
        async with stage().block(), Mesh(launch, connect=egress.connect) as mesh, root(mesh) as app:
            launch.data.mkdir(parents=True, exist_ok=True)
            events = events_of(app, mesh, replace(launch, subscribes=_consumed(app)))
            server = Server([*app.servicers, *events.servicers])
            server.listen(listen)
            await server.start()
            async with Jobs([*app.jobs, *events.jobs], launch.data, mesh.opened):
                try:
                    async with aio.insecure_channel(listen) as channel:
                        yield Running(app, channel)
                finally:
                    await server.drain(timedelta(0))


class _Egress:
    """Leads each call to the fake of its service."""

    def __init__(self, fakes: Sequence[Fake[Any]]) -> None:
        self._fakes = {service: fake for fake in fakes for service in fake.rpc_services}
        self._channels: dict[str, aio.Channel] = {}
        self._missing: list[str] = []

    def connect(self, service: str) -> aio.Channel:
        """The channel to a service's fake."""
        if service not in self._fakes:
            complaint = f"{service} was called and has no fake: running(..., fakes=[Fake(...)])"
            self._missing.append(complaint)
            raise AssertionError(complaint)
        if service not in self._channels:
            self._channels[service] = aio.insecure_channel(self._fakes[service].connect())
        return self._channels[service]

    def complaints(self) -> list[str]:
        """Services that were called and have no fake."""
        missing, self._missing = self._missing, []
        return missing

    async def leave(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()
