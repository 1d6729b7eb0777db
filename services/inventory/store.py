"""Stock and reservations in the database."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, delete, false, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.inventory.domain import Reservation, Stock

__all__ = [
    "Base",
    "close",
    "expired_reservations",
    "forget_closed",
    "forget_confirmed",
    "is_closed",
    "put_reservation",
    "put_stock",
    "remove_reservations",
    "reservation_of",
    "stock_of",
    "stocks_of",
]


class Base(DeclarativeBase):
    """The tables of the inventory."""


class StockRow(Base):
    """The stock of one product."""

    __tablename__ = "stock"
    # The domain's rule once more: a mistake there must not sell what is not there.
    __table_args__ = (CheckConstraint("reserved >= 0 AND on_hand >= reserved", name="stock_is_there"),)

    product_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    on_hand: Mapped[int]
    reserved: Mapped[int]
    version: Mapped[int]
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)


class ReservationRow(Base):
    """One reservation; gone once it is released or has expired."""

    __tablename__ = "reservations"

    reservation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("stock.product_id"))
    quantity: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # None as well of what was held before reservations expired.
    expire_time: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    confirmed: Mapped[bool] = mapped_column(server_default=false())


class ClosedRow(Base):
    """The id of a reservation that was given up before there was one."""

    __tablename__ = "closed_reservations"

    reservation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    close_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


async def stock_of(tx: Transaction, product_id: str) -> Stock | None:
    """The stock of a product. In a transaction that writes, nobody else changes it until the end."""
    row = await tx.scalar(select(StockRow).where(StockRow.product_id == product_id))
    return None if row is None else _stock(row)


async def stocks_of(tx: Transaction, product_ids: Collection[str]) -> dict[str, Stock]:
    """The stock of products, as far as they have any."""
    rows = await tx.scalars(select(StockRow).where(StockRow.product_id.in_(product_ids)))
    return {row.product_id: _stock(row) for row in rows}


async def put_stock(tx: Transaction, stock: Stock) -> None:
    """Keeps the stock of a product in the place of what was there."""
    await tx.merge(
        StockRow(
            product_id=stock.product_id,
            on_hand=stock.on_hand,
            reserved=stock.reserved,
            version=stock.version,
            update_time=stock.update_time,
        )
    )


async def reservation_of(tx: Transaction, reservation_id: str) -> Reservation | None:
    """The reservation with this id."""
    row = await tx.scalar(select(ReservationRow).where(ReservationRow.reservation_id == reservation_id))
    return None if row is None else _reservation(row)


async def expired_reservations(tx: Transaction, now: datetime, *, limit: int) -> list[Reservation]:
    """Reservations whose time is over, the oldest first."""
    query = select(ReservationRow).where(ReservationRow.expire_time <= now)
    rows = await tx.scalars(query.order_by(ReservationRow.expire_time).limit(limit))
    return [_reservation(row) for row in rows]


async def put_reservation(tx: Transaction, reservation: Reservation) -> None:
    """Keeps a reservation in the place of what was there. Its product has stock."""
    await tx.merge(
        ReservationRow(
            reservation_id=reservation.reservation_id,
            product_id=reservation.product_id,
            quantity=reservation.quantity,
            create_time=reservation.create_time,
            expire_time=reservation.expire_time,
            confirmed=reservation.confirmed,
        )
    )


async def remove_reservations(tx: Transaction, reservation_ids: Collection[str]) -> None:
    """Removes reservations."""
    await tx.execute(delete(ReservationRow).where(ReservationRow.reservation_id.in_(reservation_ids)))


def _stock(row: StockRow) -> Stock:
    return Stock(
        product_id=row.product_id,
        on_hand=row.on_hand,
        reserved=row.reserved,
        version=row.version,
        update_time=row.update_time,
    )


async def close(tx: Transaction, reservation_id: str, now: datetime) -> None:
    """Gives up an id of which there is no reservation; twice does no harm."""
    await tx.merge(ClosedRow(reservation_id=reservation_id, close_time=now))


async def is_closed(tx: Transaction, reservation_id: str) -> bool:
    """Whether the id was given up."""
    return await tx.get(ClosedRow, reservation_id) is not None


async def forget_closed(tx: Transaction, before: datetime, *, limit: int) -> int:
    """Forgets the first ids that were given up before a moment, and returns how many."""
    given_up = select(ClosedRow.reservation_id).where(ClosedRow.close_time < before)
    first = (await tx.scalars(given_up.order_by(ClosedRow.close_time).limit(limit))).all()
    await tx.execute(delete(ClosedRow).where(ClosedRow.reservation_id.in_(first)))
    return len(first)


async def forget_confirmed(tx: Transaction, before: datetime, *, limit: int) -> int:
    """Forgets the first reservations that were made before a moment and confirmed, and returns how many."""
    old = select(ReservationRow.reservation_id).where(ReservationRow.create_time < before, ReservationRow.confirmed)
    first = (await tx.scalars(old.order_by(ReservationRow.create_time).limit(limit))).all()
    await remove_reservations(tx, first)
    return len(first)


def _reservation(row: ReservationRow) -> Reservation:
    return Reservation(
        reservation_id=row.reservation_id,
        product_id=row.product_id,
        quantity=row.quantity,
        create_time=row.create_time,
        expire_time=row.expire_time,
        confirmed=row.confirmed,
    )
