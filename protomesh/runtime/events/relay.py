"""The relay: takes events from a log to where they are told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from protomesh.runtime.events.log import OUTGOING_LOG, Log
from protomesh.runtime.events.queue import Queue
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.events.transport import Transport, Undelivered
from protomesh.runtime.events.trim import trim
from protomesh.runtime.lease import Lease
from protomesh.runtime.store import Contended, Database, changes
from protomesh.runtime.store.errors import Unreachable

__all__ = ["Relay"]

_MAX_BATCH = 200
_MIN_TRIM_SECONDS = 1.0

_log = structlog.get_logger("protomesh.runtime")


class _LeaseLost(Exception):  # noqa: N818 - it says what happened
    """Another worker may deliver from here on."""


class Relay:
    """Delivers what a log has, at least once and in order per key, for each peer at its own pace.

    Args:
        database: The service's.
        transport: The way to those that are told.
        peers: The other side, by the full name of the event: who is told of what the service publishes, or who has
            published what comes to it.
        lease: One of the service's workers has it, and delivers.
        retries: When to try again; between two tries to reach anybody there are the same pauses.
        now: The clock.
        log: What the service publishes, or what has come to it.
        sources: What fills the log for as long as this worker delivers from it, by what it is called in the logs.
    """

    def __init__(
        self,
        database: Database,
        transport: Transport,
        peers: Mapping[str, Collection[str]],
        lease: Lease,
        *,
        retries: Retries | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: Log = OUTGOING_LOG,
        sources: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
    ) -> None:
        self._database = database
        self._transport = transport
        self._lease = lease
        self._retries = retries or Retries()
        self._now = now
        self._log = log
        self._sources = dict(sources or {})
        self._events: dict[str, set[str]] = {}  # by peer
        for event, names in peers.items():
            for name in names:
                self._events.setdefault(name, set()).add(event)

    async def run(self) -> None:
        """Delivers until it is cancelled, while it has the lease."""
        while True:
            try:
                await self._lead()
            except* (_LeaseLost, Unreachable):
                _log.warning("the relay has lost its lease, or can't ask for it")
            finally:
                await self._transport.close()
            await asyncio.sleep(self._retries.pause(1).total_seconds())

    async def _lead(self) -> None:
        async with self._lease.held(), asyncio.TaskGroup() as group:
            group.create_task(self._until_lost())
            group.create_task(self._forever(self._trim, "trim"))
            for about, source in sorted(self._sources.items()):
                group.create_task(self._forever(source, about))
            for peer, events in sorted(self._events.items()):
                queue = Queue(self._database, peer, events, retries=self._retries, now=self._now, log=self._log)
                delivery = _Deliveries(queue, peer, self._transport, self._retries)
                group.create_task(self._forever(lambda delivery=delivery: self._follow(delivery), peer))  # type: ignore[misc] # mypy can't type a lambda's default

    async def _until_lost(self) -> None:
        await self._lease.wait_lost()
        raise _LeaseLost

    async def _forever(self, work: Callable[[], Awaitable[None]], about: str) -> None:
        """A fault of the database must not be the last thing that a relay sees."""
        failures = 0
        while True:
            try:
                await work()
            except Contended:
                failures += 1
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                failures += 1
                _log.error("the relay failed", about=about, exc_info=error)
            await asyncio.sleep(self._retries.pause(max(1, failures)).total_seconds())

    async def _follow(self, delivery: "_Deliveries") -> None:
        feed = changes(self._database)  # begins at once, and whatever changes from then on ends the wait below
        while True:
            due = delivery.queue.next_due
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, (due - self._now()).total_seconds())):
                    await anext(feed)
            await delivery.drain()

    async def _trim(self) -> None:
        async for _ in changes(self._database):
            await trim(self._database, self._events.keys(), self._log)
            await asyncio.sleep(_MIN_TRIM_SECONDS)


class _Deliveries:
    """One peer, and how well it goes."""

    def __init__(self, queue: Queue, peer: str, transport: Transport, retries: Retries) -> None:
        self.queue = queue
        self._peer = peer
        self._transport = transport
        self._retries = retries
        self._limit = _MAX_BATCH
        self._vain = 0  # tries since something got through

    async def drain(self) -> None:
        """Delivers until there is nothing to do now."""
        while (batch := await self.queue.take(self._limit)) is not None:
            try:
                results = await self._transport.deliver(self._peer, batch.events) if batch.wanted else ()
            except Undelivered as error:
                self._limit = max(1, self._limit // 2) if error.late else self._limit
                await self._pause(error)
                continue
            if await self.queue.settle(batch, results):
                self._reached()
            else:
                await self._pause(None)

    def _reached(self) -> None:
        if self._vain:
            _log.info("events are delivered again", peer=self._peer)
        self._vain = 0
        self._limit = min(_MAX_BATCH, self._limit * 2)

    async def _pause(self, error: Undelivered | None) -> None:
        if not self._vain:  # once per outage: it is repeated until it is over
            why = str(error) if error is not None else "it answered none of the events"
            _log.warning("events can't be delivered; they wait", peer=self._peer, reason=why)
        self._vain += 1
        pause: timedelta = min(self._retries.pause(self._vain), timedelta(seconds=10))
        await asyncio.sleep(pause.total_seconds())
