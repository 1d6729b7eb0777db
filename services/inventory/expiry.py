"""Reservations that nobody confirmed in time."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from protomesh.runtime.store import Database
from services.inventory import store

__all__ = ["expire_reservations"]

# Given up in one transaction: little work is lost if it fails, and nobody else who writes waits long.
_BATCH = 50

_log = structlog.get_logger(__name__)


async def expire_reservations(db: Database, now: Callable[[], datetime], *, batch: int = _BATCH) -> None:
    """Gives up every reservation whose time is over.

    A batch at a time, each in a transaction of its own: what ends this between two of them leaves the rest to the next
    run. Two that run at once, on two machines say, do no harm.
    """
    while await _is_due(db, now()):
        async with db.begin() as tx:
            moment = now()
            expired = await store.expired_reservations(tx, moment, limit=batch)
            pieces: Counter[str] = Counter()
            for reservation in expired:
                pieces[reservation.product_id] += reservation.quantity
            for product_id, quantity in sorted(pieces.items()):
                stock = await store.stock_of(tx, product_id)
                assert stock is not None  # a foreign key of the reservation
                await store.put_stock(tx, stock.letting_go(quantity, moment))
            await store.remove_reservations(tx, [reservation.reservation_id for reservation in expired])
        for reservation in expired:
            _log.info(
                "reservation expired",
                reservation_id=reservation.reservation_id,
                product_id=reservation.product_id,
                quantity=reservation.quantity,
            )


async def _is_due(db: Database, now: datetime) -> bool:
    async with db.read() as tx:  # takes no turn from those who write
        return bool(await store.expired_reservations(tx, now, limit=1))
