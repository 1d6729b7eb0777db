"""What the inventory need not know any more: else its records would grow with every order there ever was."""

from collections.abc import Callable
from datetime import datetime, timedelta

from protomesh.runtime.store import Database
from services.inventory import store

__all__ = ["forget_reservations"]

_CLOSED_KEPT = timedelta(days=7)  # no call of Reserve is under way for as long as that
_BATCH = 200  # of one transaction: nobody else who writes waits long


async def forget_reservations(
    db: Database, now: Callable[[], datetime], confirmed_kept: timedelta, *, batch: int = _BATCH
) -> None:
    """Forgets ids that were given up a week ago, and confirmed reservations that are older than `confirmed_kept`.

    The pieces of those have left for good: `Release` does not find them any more, and does not bring them back.
    """
    for forget, kept in ((store.forget_closed, _CLOSED_KEPT), (store.forget_confirmed, confirmed_kept)):
        forgotten = batch
        while forgotten == batch:
            async with db.begin() as tx:
                forgotten = await forget(tx, now() - kept, limit=batch)
