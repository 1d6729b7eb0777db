"""What events add to a worker: something to serve, something to do now and again, and relays.

Most workers have none of it, and no database: what needs the extra `protomesh[store]` is imported when it is wanted.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from protomesh.runtime.app import App
from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.jobs import Job, every
from protomesh.runtime.launch import Launch
from protomesh.runtime.mesh import Mesh

if TYPE_CHECKING:
    from protomesh.runtime.events.inbox import Inbox
    from protomesh.runtime.events.relay import Relay
    from protomesh.runtime.store import Database

__all__ = ["Events", "NoDatabaseForEvents", "bound_to", "events_of"]

# How long a second delivery is known to be one. Longer than any event waits that was applied and not answered for.
_REMEMBERED = timedelta(days=30)


class NoDatabaseForEvents(CannotStart):
    """A service consumes events and has opened no database to mark them in."""


class Events:
    """What a worker has to serve, to run and to keep running."""

    def __init__(
        self, *, servicers: Sequence[object] = (), jobs: Sequence[Job] = (), relays: "Sequence[Relay]" = ()
    ) -> None:
        self.servicers = servicers
        self.jobs = jobs
        self._relays = relays

    @asynccontextmanager
    async def relayed(self) -> AsyncGenerator[None]:
        """Keeps the relays going for the block. Each tries for its lease as long as another worker has it."""
        tasks = [asyncio.create_task(relay.run(), name="relay") for relay in self._relays]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def bound_to(mesh: Mesh, launch: Launch) -> None:
    """From here on the service may publish what mesh.yaml says is its own, and nothing else."""
    if mesh.opened is not None:
        from protomesh.runtime.events.publish import PUBLISHABLE  # noqa: PLC0415 - see above

        mesh.opened.info[PUBLISHABLE] = frozenset(launch.subscribers)


def events_of(app: App, mesh: Mesh, launch: Launch) -> Events:
    """What the events of a service need: an inbox if it subscribes to any, a relay if it may publish any.

    By way of a broker a service that subscribes has a relay too: from what the broker has brought.

    Raises:
        SubscriptionsDiffer: Its consumers and mesh.yaml's `subscribes` are not the same.
        NoDatabaseForEvents: It has consumers, and no database.
        NoBroker: PROTOMESH_EVENTS_URL names no broker, or what it needs is not installed.
        TypeError: A consumer has no method marked with `@on`, or two learn of one event.
    """
    if not (app.consumers or launch.subscribes or (launch.subscribers and mesh.opened)):
        return Events()
    from protomesh.runtime.events.consumers import Consumers  # noqa: PLC0415 - see above
    from protomesh.runtime.events.handling import Handling  # noqa: PLC0415 - see above
    from protomesh.runtime.events.inbox import Inbox  # noqa: PLC0415 - see above
    from protomesh.runtime.events.servicer import EventConsumer  # noqa: PLC0415 - see above

    consumers = Consumers(app.consumers)
    consumers.check(launch.service, launch.subscribes)
    if mesh.opened is None:
        raise NoDatabaseForEvents(
            f"{launch.service} consumes events and has no database to mark them in: "
            "open one in its app, `async with mesh.database(migrations=...) as db:`"
        )
    inbox = Inbox(mesh.opened, consumers, handling=Handling(launch.data / "handling")) if app.consumers else None
    relays = _relays(app, mesh, mesh.opened, inbox, launch)
    if inbox is None:
        return Events(relays=relays)

    async def forget_events() -> None:
        await inbox.forget(before=datetime.now(UTC) - _REMEMBERED)

    return Events(
        servicers=[EventConsumer(inbox)],
        jobs=[every(timedelta(hours=1), forget_events, one_worker=True, name="forget_events")],
        relays=relays,
    )


def _relays(app: App, mesh: Mesh, database: "Database", inbox: "Inbox | None", launch: Launch) -> "list[Relay]":
    if launch.events_url:
        try:
            from protomesh.runtime.events.by_broker import relays_by_broker  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "nats":
                raise
            raise CannotStart("events by way of NATS need nats-py: pip install 'protomesh[nats]'") from error
        return relays_by_broker(database, inbox, launch, app.retries)
    from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub  # noqa: PLC0415 - see above
    from protomesh.runtime.events.relay import Relay  # noqa: PLC0415 - see above
    from protomesh.runtime.events.transport import MeshTransport  # noqa: PLC0415 - see above

    if not launch.subscribers:
        return []
    transport = MeshTransport(mesh.client(EventConsumerServiceStub))
    return [Relay(database, transport, launch.subscribers, database.lease("relay"), retries=app.retries)]
