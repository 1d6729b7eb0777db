"""What events add to a worker: something to serve, something to do now and again, and a relay.

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
    from protomesh.runtime.events.relay import Relay

__all__ = ["Events", "NoDatabaseForEvents", "bound_to", "events_of"]

# How long a second delivery is known to be one. Longer than any event waits that was applied and not answered for.
_REMEMBERED = timedelta(days=30)


class NoDatabaseForEvents(CannotStart):
    """A service consumes events and has opened no database to mark them in."""


class Events:
    """What a worker has to serve, to run and to keep running."""

    def __init__(
        self, *, servicers: Sequence[object] = (), jobs: Sequence[Job] = (), relay: "Relay | None" = None
    ) -> None:
        self.servicers = servicers
        self.jobs = jobs
        self._relay = relay

    @asynccontextmanager
    async def relayed(self) -> AsyncGenerator[None]:
        """Keeps the relay going for the block. It tries for its lease as long as another worker has it."""
        if self._relay is None:
            yield
            return
        task = asyncio.create_task(self._relay.run(), name="relay")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def bound_to(mesh: Mesh, launch: Launch) -> None:
    """From here on the service may publish what mesh.yaml says is its own, and nothing else."""
    if mesh.opened is not None:
        from protomesh.runtime.events.publish import PUBLISHABLE  # noqa: PLC0415 - see above

        mesh.opened.info[PUBLISHABLE] = frozenset(launch.subscribers)


def events_of(app: App, mesh: Mesh, launch: Launch) -> Events:
    """What the events of a service need: an inbox if it subscribes to any, a relay if it may publish any.

    Raises:
        SubscriptionsDiffer: Its consumers and mesh.yaml's `subscribes` are not the same.
        NoDatabaseForEvents: It has consumers, and no database.
        TypeError: A consumer has no method marked with `@on`, or two learn of one event.
    """
    if not (app.consumers or launch.subscribes or (launch.subscribers and mesh.opened)):
        return Events()
    from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub  # noqa: PLC0415 - see above
    from protomesh.runtime.events.consumers import Consumers  # noqa: PLC0415 - see above
    from protomesh.runtime.events.inbox import Inbox  # noqa: PLC0415 - see above
    from protomesh.runtime.events.relay import Relay  # noqa: PLC0415 - see above
    from protomesh.runtime.events.servicer import EventConsumer  # noqa: PLC0415 - see above
    from protomesh.runtime.events.transport import MeshTransport  # noqa: PLC0415 - see above

    consumers = Consumers(app.consumers)
    consumers.check(launch.service, launch.subscribes)
    if mesh.opened is None:
        raise NoDatabaseForEvents(
            f"{launch.service} consumes events and has no database to mark them in: "
            "open one in its app, `async with mesh.database(migrations=...) as db:`"
        )
    relay = None
    if launch.subscribers:
        transport = MeshTransport(mesh.client(EventConsumerServiceStub))
        relay = Relay(mesh.opened, transport, launch.subscribers, mesh.opened.lease("relay"), retries=app.retries)
    if not app.consumers:
        return Events(relay=relay)
    inbox = Inbox(mesh.opened, consumers)

    async def forget_events() -> None:
        await inbox.forget(before=datetime.now(UTC) - _REMEMBERED)

    return Events(
        servicers=[EventConsumer(inbox)],
        jobs=[every(timedelta(hours=1), forget_events, one_worker=True, name="forget_events")],
        relay=relay,
    )
