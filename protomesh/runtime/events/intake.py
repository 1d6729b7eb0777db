"""From a publisher's stream at a broker into a subscriber's database."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

import structlog
from nats.js.errors import NotFoundError

from protomesh.runtime.events.broker import Broker, Connection
from protomesh.runtime.events.incoming import keep, wait_room
from protomesh.runtime.events.pull import Pull
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.events.transport import Undelivered
from protomesh.runtime.store import Database

__all__ = ["Intake"]

_log = structlog.get_logger("protomesh.runtime")


class Intake:
    """Takes what one publisher has published, in the stream's order, and acknowledges it once it is kept here.

    The consumer at the broker says only what is new, and what is acknowledged. After a crash it hands out first what
    nobody was given, so what lies before that is read from the stream itself: nothing overtakes anything.

    Args:
        database: The subscriber's.
        broker: Where from.
        publisher: The other service.
        subscriber: This service.
        events: Full names of the events that it wants; others are acknowledged and dropped.
        retries: The pauses between two tries to reach the broker.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        publisher: str,
        subscriber: str,
        events: Collection[str],
        *,
        retries: Retries,
    ) -> None:
        self._database = database
        self._broker = broker
        self._publisher = publisher
        self._subscriber = subscriber
        self._events = frozenset(events)
        self._retries = retries
        self._stream = broker.streams.stream(publisher)
        self._vain = 0

    async def run(self) -> None:
        """Takes until it is cancelled, whether the broker is there or not.

        Raises:
            Exception: The database fails; nothing is lost, and who runs this may run it again.
        """
        while True:
            try:
                async with self._broker.connected() as connection:
                    await self._take_all(connection)
            except Undelivered as error:
                if not self._vain:
                    _log.warning("a broker can't be asked for events", publisher=self._publisher, reason=str(error))
                self._vain += 1
            pause = min(self._retries.pause(max(1, self._vain)), timedelta(seconds=10))
            await asyncio.sleep(pause.total_seconds())

    async def _take_all(self, connection: Connection) -> None:
        await connection.declare(self._publisher, [self._subscriber])
        js = connection.jetstream
        consumer = await connection.unless_lost(js.consumer_info(self._stream, self._subscriber))
        taken = consumer.ack_floor.stream_seq if consumer.ack_floor is not None else 0
        pull = await Pull.start(connection, self._stream, self._subscriber)
        if self._vain:
            _log.info("a broker is asked for events again", publisher=self._publisher)
        self._vain = 0
        while True:
            await wait_room(self._database, self._publisher)
            found = {message.metadata.sequence.stream: message for message in await pull.next()}
            newest = max(found)
            if newest > taken:
                payloads = await self._contiguous(connection, taken, {n: found[n].data for n in found}, newest)
                await keep(self._database, self._publisher, payloads, self._events)
                taken = newest
            await connection.unless_lost(found[newest].ack())  # and with it everything before

    async def _contiguous(
        self, connection: Connection, taken: int, found: dict[int, bytes], end: int
    ) -> Sequence[bytes]:
        """The events after `taken` up to `end`, as far as the stream has them."""
        if sum(sequence > taken for sequence in found) < end - taken:
            info = await connection.unless_lost(connection.jetstream.stream_info(self._stream))
            for sequence in range(max(taken + 1, info.state.first_seq), end):
                if sequence not in found:
                    payload = await connection.unless_lost(self._read(connection, sequence))
                    if payload is not None:
                        found[sequence] = payload
        return [found[sequence] for sequence in sorted(found) if taken < sequence <= end]

    async def _read(self, connection: Connection, sequence: int) -> bytes | None:
        try:
            return (await connection.jetstream.get_msg(self._stream, sequence)).data or b""
        except NotFoundError:  # somebody has removed it
            return None
