"""What is still to be told of one peer of a log, and what became of it.

Everything up to the peer's cursor is applied or deferred. An event that fails is deferred, and with it every
later one of its key, while the cursor goes on: a fault holds up one key and not the others. The first deferred event of
a key is tried again with growing pauses; after a bounded number of failures it is a dead letter, and its key stays
parked until somebody replays or skips it.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.rpc import code_pb2
from sqlalchemy import Row, delete, func, insert, select, update

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events.log import OUTGOING_LOG, Log
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.store import Database, Transaction

__all__ = ["Batch", "Queue"]

# Far below the 4 MiB that a message may have, with room for what travels along.
_BATCH_BYTES = 1024 * 1024
_MAX_PROBLEM = 1000

# They mean that somebody does not answer, which is no fault of the event.
_UNCOUNTED = frozenset({code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    sequence: int
    event_type: str
    key: str
    event: Event
    tries: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is next: deferred events that are due, then new ones, each in order of their publication."""

    due: tuple[_Entry, ...]
    new: tuple[_Entry, ...]
    parked: frozenset[str]  # keys of new events that have to wait behind deferred ones
    wanted: tuple[_Entry, ...]  # what to deliver

    @property
    def events(self) -> list[Event]:
        """What to deliver, in this order."""
        return [entry.event for entry in self.wanted]


class Queue:
    """One peer's part of a log: a subscriber's of what a service publishes, or a publisher's of what comes to it.

    Args:
        database: The service's.
        peer: The other side: the service that is told, or that has published.
        events: Full names of the events that are delivered; others are passed over.
        retries: What happens after a failure.
        now: The clock.
        log: What the service publishes, or what has come to it.
    """

    def __init__(
        self,
        database: Database,
        peer: str,
        events: Collection[str],
        *,
        retries: Retries,
        now: Callable[[], datetime],
        log: Log = OUTGOING_LOG,
    ) -> None:
        self._database = database
        self._peer = peer
        self._log = log
        self._events = frozenset(events)
        self._retries = retries
        self._now = now
        self.next_due: datetime | None = None

    async def take(self, limit: int) -> Batch | None:
        """Reads what is next, at most `limit` events of each kind; None if there is nothing to do now.

        `next_due` then says when the next deferred event is to be tried, None if none is. Every change of the database
        brings somebody here, so to find nothing takes two statements.
        """
        async with self._database.read() as tx:
            self.next_due = await self._first_due(tx)
            due: list[_Entry] = []
            if self.next_due is not None and self.next_due <= self._now():
                due = _within(await self._due(tx, limit), _BATCH_BYTES)
            left = _BATCH_BYTES - sum(entry.event.ByteSize() for entry in due)
            new = _within([_entry(row) for row in await self._new(tx, limit)], left)
            parked = await self._parked(tx, new) if new else frozenset()
        if not due and not new:
            return None
        fresh = [entry for entry in new if entry.event_type in self._events and entry.key not in parked]
        return Batch(due=tuple(due), new=tuple(new), parked=parked, wanted=(*due, *fresh))

    async def settle(self, batch: Batch, results: Sequence[Result]) -> bool:
        """Writes down what became of a batch. Returns whether it led anywhere.

        A result that says nothing counts as none: that event, and what came after it, is delivered again.
        """
        log = self._log
        outcomes = _outcomes(batch, results)
        async with self._database.begin() as tx:
            for entry in batch.due:
                if entry.sequence in outcomes:
                    await self._settle_deferred(tx, entry, outcomes[entry.sequence])
            passed = 0
            waiting: list[dict[str, Any]] = []
            for entry in batch.new:
                if entry.event_type in self._events:
                    result = None
                    if entry.key not in batch.parked:
                        result = outcomes.get(entry.sequence)
                        if result is None:
                            break
                    if result is None or result.outcome != Result.OUTCOME_APPLIED:
                        waiting.append(self._deferred(entry, result))
                passed = entry.sequence
            if waiting:
                await tx.execute(insert(log.deferred), waiting)
            if passed:
                await self._advance(tx, passed)
        return bool(passed or outcomes)

    async def _new(self, tx: Transaction, limit: int) -> Sequence[Row[Any]]:
        log = self._log
        cursor = select(log.cursors.c.cursor).where(log.cursors.c.peer == self._peer).scalar_subquery()
        rows = await tx.execute(
            select(log.events)
            .where(log.events.c.sequence > func.coalesce(cursor, 0), log.of(self._peer))
            .order_by(log.events.c.sequence)
            .limit(limit)
        )
        return rows.all()

    async def _parked(self, tx: Transaction, new: Sequence[_Entry]) -> frozenset[str]:
        log = self._log
        keys = await tx.scalars(
            select(log.deferred.c.key)
            .where(log.deferred.c.peer == self._peer, log.deferred.c.key.in_({entry.key for entry in new}))
            .distinct()
        )
        return frozenset(keys)

    async def _first_due(self, tx: Transaction) -> datetime | None:
        log = self._log
        heads = self._heads()
        due: datetime | None = await tx.scalar(
            select(func.min(log.deferred.c.next_time))
            .join(heads, log.deferred.c.sequence == heads.c.sequence)
            .where(log.deferred.c.peer == self._peer, log.deferred.c.dead.is_(False))
        )
        return due

    def _heads(self) -> Any:
        log = self._log
        return (
            select(func.min(log.deferred.c.sequence).label("sequence"))
            .where(log.deferred.c.peer == self._peer)
            .group_by(log.deferred.c.key)
            .subquery()
        )

    async def _due(self, tx: Transaction, limit: int) -> list[_Entry]:
        log = self._log
        heads = self._heads()
        keys = (
            select(log.deferred.c.key)
            .join(heads, log.deferred.c.sequence == heads.c.sequence)
            .where(
                log.deferred.c.peer == self._peer,
                log.deferred.c.dead.is_(False),
                log.deferred.c.next_time <= self._now(),
            )
            .order_by(log.deferred.c.next_time, log.deferred.c.sequence)
            .limit(limit)
        )
        rows = await tx.execute(
            select(log.events, log.deferred.c.tries, log.deferred.c.failures)
            .join(log.deferred, log.deferred.c.sequence == log.events.c.sequence)
            .where(log.deferred.c.peer == self._peer, log.deferred.c.key.in_(keys))
            .order_by(log.events.c.sequence)
            .limit(limit)
        )
        return [_entry(row, tries=row.tries, failures=row.failures) for row in rows]

    async def _settle_deferred(self, tx: Transaction, entry: _Entry, result: Result) -> None:
        log = self._log
        this = (log.deferred.c.peer == self._peer, log.deferred.c.sequence == entry.sequence)
        if result.outcome == Result.OUTCOME_APPLIED:
            await tx.execute(delete(log.deferred).where(*this))
        elif result.outcome == Result.OUTCOME_FAILED:
            values = self._deferred(entry, result)
            await tx.execute(update(log.deferred).where(*this).values(values))

    def _deferred(self, entry: _Entry, result: Result | None) -> dict[str, Any]:
        """The row of an event that failed, or that waits behind one which did."""
        failed = result if result is not None and result.outcome == Result.OUTCOME_FAILED else None
        tries = entry.tries + (failed is not None)
        failures = entry.failures + (failed is not None and failed.code not in _UNCOUNTED)
        return {
            "peer": self._peer,
            "sequence": entry.sequence,
            "key": entry.key,
            "tries": tries,
            "failures": failures,
            "next_time": self._now() + (self._retries.pause(tries) if failed is not None else timedelta(0)),
            "dead": failures >= self._retries.failures,
            "problem": "" if failed is None else _problem(failed),
        }

    async def _cursor(self, tx: Transaction) -> int | None:
        log = self._log
        cursor: int | None = await tx.scalar(select(log.cursors.c.cursor).where(log.cursors.c.peer == self._peer))
        return cursor

    async def _advance(self, tx: Transaction, cursor: int) -> None:
        log = self._log
        if await self._cursor(tx) is None:
            await tx.execute(insert(log.cursors).values(peer=self._peer, cursor=cursor))
            return
        # Never back: a relay that has lost its lease, and does not know it yet, may be late.
        await tx.execute(
            update(log.cursors)
            .where(log.cursors.c.peer == self._peer, log.cursors.c.cursor < cursor)
            .values(cursor=cursor)
        )


def _outcomes(batch: Batch, results: Sequence[Result]) -> dict[int, Result]:
    """Results by sequence, as far as they make sense: what is held back is so behind one that failed."""
    outcomes: dict[int, Result] = {}
    failed: set[str] = set()
    for entry, result in zip(batch.wanted, results, strict=False):
        if result.outcome == Result.OUTCOME_FAILED:
            failed.add(entry.key)
        elif result.outcome == Result.OUTCOME_HELD_BACK and entry.key in failed:
            pass
        elif result.outcome != Result.OUTCOME_APPLIED:
            break
        outcomes[entry.sequence] = result
    return outcomes


def _problem(result: Result) -> str:
    known = code_pb2.Code.DESCRIPTOR.values_by_number.get(result.code)
    return f"{known.name if known is not None else result.code}: {result.message}"[:_MAX_PROBLEM]


def _entry(row: Row[Any], *, tries: int = 0, failures: int = 0) -> _Entry:
    key = "" if row.key == row.event_id else row.key
    event = Event(event_id=row.event_id, key=key, metadata=json.loads(row.metadata))
    event.content.type_url = f"type.googleapis.com/{row.event_type}"
    event.content.value = row.content
    event.create_time.FromDatetime(row.create_time.astimezone(UTC))
    return _Entry(
        sequence=row.sequence, event_type=row.event_type, key=row.key, event=event, tries=tries, failures=failures
    )


def _within(entries: Sequence[_Entry], size: int) -> list[_Entry]:
    """The first entries that have at most `size` bytes together; one at least, if any room is left."""
    kept: list[_Entry] = []
    for entry in entries:
        if size <= 0:
            break
        kept.append(entry)
        size -= entry.event.ByteSize()
    return kept
