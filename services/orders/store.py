"""Orders in the database."""

from datetime import datetime

from google.type.money_pb2 import Money
from sqlalchemy import BigInteger, ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from protomesh.runtime.store import Transaction, UtcDateTime
from services.orders.domain import Line, Order, OrderState

__all__ = ["Base", "add", "order_of", "orders_before"]


class Base(DeclarativeBase):
    """The tables of the orders."""


class LineRow(Base):
    """One line of an order."""

    __tablename__ = "order_lines"

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(String(64))
    quantity: Mapped[int]
    title: Mapped[str] = mapped_column(String(120))
    units: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int]
    reservation_id: Mapped[str] = mapped_column(String(64))


class OrderRow(Base):
    """One order."""

    __tablename__ = "orders"

    order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    currency_code: Mapped[str] = mapped_column(String(3))  # of the total and of every line
    units: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    lines: Mapped[list[LineRow]] = relationship(order_by=LineRow.position, lazy="selectin")


async def add(tx: Transaction, order: Order) -> None:
    """Keeps a new order."""
    tx.add(
        OrderRow(
            order_id=order.order_id,
            state=order.state.value,
            currency_code=order.total.currency_code,
            units=order.total.units,
            nanos=order.total.nanos,
            create_time=order.create_time,
            lines=[
                LineRow(
                    position=position,
                    product_id=line.product_id,
                    quantity=line.quantity,
                    title=line.title,
                    units=line.unit_price.units,
                    nanos=line.unit_price.nanos,
                    reservation_id=line.reservation_id,
                )
                for position, line in enumerate(order.lines)
            ],
        )
    )
    await tx.flush()


async def order_of(tx: Transaction, order_id: str) -> Order | None:
    """The order with this id."""
    row = await tx.get(OrderRow, order_id)
    return None if row is None else _order(row)


async def orders_before(tx: Transaction, order_id: str | None, *, limit: int) -> list[Order]:
    """The newest orders that are older than one, the newest of all if it is None. Ids sort by time."""
    query = select(OrderRow).order_by(OrderRow.order_id.desc()).limit(limit)
    if order_id is not None:
        query = query.where(OrderRow.order_id < order_id)
    return [_order(row) for row in await tx.scalars(query)]


def _order(row: OrderRow) -> Order:
    def money(units: int, nanos: int) -> Money:
        return Money(currency_code=row.currency_code, units=units, nanos=nanos)

    return Order(
        order_id=row.order_id,
        state=OrderState(row.state),
        lines=tuple(
            Line(
                product_id=line.product_id,
                quantity=line.quantity,
                title=line.title,
                unit_price=money(line.units, line.nanos),
                reservation_id=line.reservation_id,
            )
            for line in row.lines
        ),
        total=money(row.units, row.nanos),
        create_time=row.create_time,
    )
