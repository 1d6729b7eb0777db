"""What does not get through: seen, tried again, or given up, by a person."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update

from protomesh.runtime.events.tables import DEFERRED, OUTBOX
from protomesh.runtime.store import Database, Transaction

__all__ = ["Stuck", "UnknownDeadLetter", "replay", "skip", "stuck"]


class UnknownDeadLetter(LookupError):  # noqa: N818 - it says what is wrong
    """An id that is of no dead letter here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An event that a subscriber could not handle, with all that waits behind it."""

    event_id: str
    event_type: str
    key: str  # "" if it has none
    subscriber: str
    create_time: datetime
    dead: bool  # a dead letter: it is not tried again by itself
    tries: int
    next_time: datetime  # when it is, unless it is dead
    problem: str  # of the last try: its code and what the subscriber said
    waiting: int  # later events of its key


async def stuck(database: Database) -> list[Stuck]:
    """What holds up a key of a subscriber, in the order of publication. Dead letters are among it."""
    behind = DEFERRED.alias()
    waiting = (
        select(func.count())
        .where(
            behind.c.subscriber == DEFERRED.c.subscriber,
            behind.c.key == DEFERRED.c.key,
            behind.c.sequence > DEFERRED.c.sequence,
        )
        .scalar_subquery()
    )
    heads = select(func.min(DEFERRED.c.sequence)).group_by(DEFERRED.c.subscriber, DEFERRED.c.key)
    async with database.read() as tx:
        rows = await tx.execute(
            select(OUTBOX.c.event_id, OUTBOX.c.event_type, OUTBOX.c.create_time, DEFERRED, waiting.label("waiting"))
            .join(OUTBOX, OUTBOX.c.sequence == DEFERRED.c.sequence)
            .where(DEFERRED.c.sequence.in_(heads))
            .order_by(DEFERRED.c.sequence, DEFERRED.c.subscriber)
        )
        return [
            Stuck(
                event_id=row.event_id,
                event_type=row.event_type,
                key="" if row.key == row.event_id else row.key,
                subscriber=row.subscriber,
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


async def replay(database: Database, event_ids: Collection[str] | None = None) -> int:
    """Has dead letters tried again, now and as often as a new event; all of them if none is named. Returns how many.

    Raises:
        UnknownDeadLetter: A named one is none; nothing is changed.
    """
    async with database.begin() as tx:
        sequences = await _sequences(tx, event_ids)
        done = await tx.execute(
            update(DEFERRED)
            .where(DEFERRED.c.dead.is_(True), DEFERRED.c.sequence.in_(sequences))
            .values(dead=False, tries=0, failures=0, next_time=datetime.now(UTC))
            .returning(DEFERRED.c.sequence)
        )
        return len(done.all())


async def skip(database: Database, event_ids: Collection[str]) -> int:
    """Gives dead letters up: who could not handle them never will, and what waits behind them goes on.

    Returns how many there were: one for each subscriber of each event.

    Raises:
        UnknownDeadLetter: One is none; nothing is changed.
    """
    async with database.begin() as tx:
        sequences = await _sequences(tx, event_ids)
        done = await tx.execute(
            delete(DEFERRED)
            .where(DEFERRED.c.dead.is_(True), DEFERRED.c.sequence.in_(sequences))
            .returning(DEFERRED.c.sequence)
        )
        return len(done.all())


async def _sequences(tx: Transaction, event_ids: Collection[str] | None) -> list[int]:
    query = (
        select(OUTBOX.c.event_id, OUTBOX.c.sequence)
        .join(DEFERRED, DEFERRED.c.sequence == OUTBOX.c.sequence)
        .where(DEFERRED.c.dead.is_(True))
    )
    if event_ids is not None:
        query = query.where(OUTBOX.c.event_id.in_(event_ids))
    found = {row.event_id: row.sequence for row in await tx.execute(query)}
    if unknown := sorted(set(event_ids or ()) - found.keys()):
        raise UnknownDeadLetter(f"{', '.join(unknown)}: no dead letter of this service has this id")
    return list(found.values())
