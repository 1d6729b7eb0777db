"""The publisher's side as a whole: what nobody waits for any more is dropped."""

from collections.abc import Collection

from sqlalchemy import delete, func, select

from protomesh.runtime.events.tables import DEFERRED, OUTBOX, SUBSCRIBERS
from protomesh.runtime.store import Database, Transaction

__all__ = ["trim"]


async def trim(database: Database, subscribers: Collection[str]) -> None:
    """Drops the events that every subscriber has behind it, but for those that are deferred for anyone.

    Somebody who does not subscribe any more is not waited for, but keeps what is deferred.
    """
    async with database.read() as tx:
        end = await _passed_by_all(tx, subscribers)
        kept = select(DEFERRED.c.sequence)
        condition = (OUTBOX.c.sequence <= end, OUTBOX.c.sequence.not_in(kept))
        anything = await tx.scalar(select(OUTBOX.c.sequence).where(*condition).limit(1))
    if anything is not None:
        async with database.begin() as tx:
            await tx.execute(delete(OUTBOX).where(*condition))


async def _passed_by_all(tx: Transaction, subscribers: Collection[str]) -> int:
    if not subscribers:
        return await tx.scalar(select(func.max(OUTBOX.c.sequence))) or 0
    cursors = list(await tx.scalars(select(SUBSCRIBERS.c.cursor).where(SUBSCRIBERS.c.subscriber.in_(subscribers))))
    return min(cursors) if len(cursors) == len(set(subscribers)) else 0
