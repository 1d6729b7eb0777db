"""Stock and reservations in the database."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.inventory.domain import Reservation, Stock

__all__ = ["Base", "add_reservation", "put_stock", "stock_of", "take_reservation"]


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
    """One reservation; gone once it is released."""

    __tablename__ = "reservations"

    reservation_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("stock.product_id"))
    quantity: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)


async def stock_of(tx: Transaction, product_id: str) -> Stock | None:
    """The stock of a product. In a transaction that writes, nobody else changes it until the end."""
    row = await tx.scalar(select(StockRow).where(StockRow.product_id == product_id))
    if row is None:
        return None
    return Stock(
        product_id=row.product_id,
        on_hand=row.on_hand,
        reserved=row.reserved,
        version=row.version,
        update_time=row.update_time,
    )


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


async def add_reservation(tx: Transaction, reservation: Reservation) -> None:
    """Keeps a new reservation."""
    tx.add(
        ReservationRow(
            reservation_id=reservation.reservation_id,
            product_id=reservation.product_id,
            quantity=reservation.quantity,
            create_time=reservation.create_time,
        )
    )
    await tx.flush()


async def take_reservation(tx: Transaction, reservation_id: str) -> Reservation | None:
    """Removes a reservation and returns it; None if there is none."""
    row = await tx.get(ReservationRow, reservation_id)
    if row is None:
        return None
    await tx.delete(row)
    return Reservation(
        reservation_id=row.reservation_id,
        product_id=row.product_id,
        quantity=row.quantity,
        create_time=row.create_time,
    )
