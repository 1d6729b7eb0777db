"""A log as a whole: what nobody waits for any more is dropped."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select

from protomesh.runtime.events.log import OUTGOING_LOG, Log
from protomesh.runtime.store import Database, Transaction

__all__ = ["trim"]


async def trim(database: Database, peers: Collection[str], log: Log = OUTGOING_LOG) -> None:
    """Drops the events that every peer has behind it, but for those that are deferred for anyone.

    Somebody who does not subscribe any more is not waited for, but keeps what is deferred.
    """
    async with database.read() as tx:
        passed = await _passed_by_all(tx, peers, log) if log.shared else _passed_by_its_own(log)
        condition = (passed, log.events.c.sequence.not_in(select(log.deferred.c.sequence)))
        anything = await tx.scalar(select(log.events.c.sequence).where(*condition).limit(1))
    if anything is not None:
        async with database.begin() as tx:
            await tx.execute(delete(log.events).where(*condition))


async def _passed_by_all(tx: Transaction, peers: Collection[str], log: Log) -> ColumnElement[bool]:
    sequence: Any = log.events.c.sequence
    if not peers:
        end = await tx.scalar(select(func.max(sequence))) or 0
    else:
        cursors = list(await tx.scalars(select(log.cursors.c.cursor).where(log.cursors.c.peer.in_(peers))))
        end = min(cursors) if len(cursors) == len(set(peers)) else 0
    passed: ColumnElement[bool] = sequence <= end
    return passed


def _passed_by_its_own(log: Log) -> ColumnElement[bool]:
    cursor = select(log.cursors.c.cursor).where(log.cursors.c.peer == log.events.c.publisher).scalar_subquery()
    passed: ColumnElement[bool] = log.events.c.sequence <= cursor
    return passed
