"""What does not get through: seen, tried again, or given up, by a person."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update

from protomesh.runtime.events.log import INCOMING_LOG, OUTGOING_LOG, Log
from protomesh.runtime.events.marks import mark
from protomesh.runtime.store import Database, Transaction

__all__ = ["Stuck", "UnknownDeadLetter", "replay", "skip", "stuck"]


_LOGS = (OUTGOING_LOG, INCOMING_LOG)


class UnknownDeadLetter(LookupError):  # noqa: N818 - it says what is wrong
    """An id that is of no dead letter here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An event that somebody could not handle, with all that waits behind it.

    It waits where it can be mended: by way of the mesh with the service that published it, by way of a broker with the
    one that subscribes.
    """

    event_id: str
    event_type: str
    key: str  # "" if it has none
    subscriber: str  # who could not handle it; "" if it is this service
    publisher: str  # who published it; "" if it is this service
    create_time: datetime
    dead: bool  # a dead letter: it is not tried again by itself
    tries: int
    next_time: datetime  # when it is, unless it is dead
    problem: str  # of the last try: its code and what the subscriber said
    waiting: int  # later events of its key


async def stuck(database: Database) -> list[Stuck]:
    """What holds up a key, in the order in which it came, first what goes out. Dead letters are among it."""
    async with database.read() as tx:
        return [event for log in _LOGS for event in await _stuck(tx, log)]


async def replay(database: Database, event_ids: Collection[str] | None = None) -> int:
    """Has dead letters tried again, now and as often as a new event; all of them if none is named. Returns how many.

    Raises:
        UnknownDeadLetter: A named one is none; nothing is changed.
    """
    count = 0
    async with database.begin() as tx:
        for log, event_sequences in await _dead(tx, event_ids):
            done = await tx.execute(
                update(log.deferred)
                .where(log.deferred.c.dead.is_(True), log.deferred.c.sequence.in_(event_sequences.values()))
                .values(dead=False, tries=0, failures=0, next_time=datetime.now(UTC))
                .returning(log.deferred.c.sequence)
            )
            count += len(done.all())
    return count


async def skip(database: Database, event_ids: Collection[str]) -> int:
    """Gives dead letters up: who could not handle them never will, and what waits behind them goes on.

    Returns how many there were: one for each subscriber of each event.

    Raises:
        UnknownDeadLetter: One is none; nothing is changed.
    """
    count = 0
    async with database.begin() as tx:
        for log, event_sequences in await _dead(tx, event_ids):
            done = await tx.execute(
                delete(log.deferred)
                .where(log.deferred.c.dead.is_(True), log.deferred.c.sequence.in_(event_sequences.values()))
                .returning(log.deferred.c.sequence)
            )
            count += len(done.all())
            if log is INCOMING_LOG:  # a broker may bring it again
                for event_id in event_sequences:
                    await mark(tx, event_id, datetime.now(UTC))
    return count


async def _stuck(tx: Transaction, log: Log) -> list[Stuck]:
    events, deferred = log.events, log.deferred
    behind = deferred.alias()
    waiting = (
        select(func.count())
        .where(
            behind.c.peer == deferred.c.peer,
            behind.c.key == deferred.c.key,
            behind.c.sequence > deferred.c.sequence,
        )
        .scalar_subquery()
    )
    heads = select(func.min(deferred.c.sequence)).group_by(deferred.c.peer, deferred.c.key)
    rows = await tx.execute(
        select(events.c.event_id, events.c.event_type, events.c.create_time, deferred, waiting.label("waiting"))
        .join(events, events.c.sequence == deferred.c.sequence)
        .where(deferred.c.sequence.in_(heads))
        .order_by(deferred.c.sequence, deferred.c.peer)
    )
    return [
        Stuck(
            event_id=row.event_id,
            event_type=row.event_type,
            key="" if row.key == row.event_id else row.key,
            subscriber=row.peer if log.shared else "",
            publisher="" if log.shared else row.peer,
            create_time=row.create_time,
            dead=row.dead,
            tries=row.tries,
            next_time=row.next_time,
            problem=row.problem,
            waiting=row.waiting,
        )
        for row in rows
        if row.tries  # of two subscribers the first event of a key may be another
    ]


async def _dead(tx: Transaction, event_ids: Collection[str] | None) -> list[tuple[Log, dict[str, int]]]:
    """The sequences of dead letters by their id, in each log."""
    found: list[tuple[Log, dict[str, int]]] = []
    for log in _LOGS:
        query = (
            select(log.events.c.event_id, log.events.c.sequence)
            .join(log.deferred, log.deferred.c.sequence == log.events.c.sequence)
            .where(log.deferred.c.dead.is_(True))
        )
        if event_ids is not None:
            query = query.where(log.events.c.event_id.in_(event_ids))
        found.append((log, {row.event_id: row.sequence for row in await tx.execute(query)}))
    if unknown := sorted(set(event_ids or ()).difference(*(sequences for _, sequences in found))):
        raise UnknownDeadLetter(f"{', '.join(unknown)}: no dead letter of this service has this id")
    return found
