"""Orders in the database, and who is working on them."""

from collections.abc import Collection
from datetime import datetime

from google.type.money_pb2 import Money
from sqlalchemy import BigInteger, ForeignKey, Index, String, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from protomesh.runtime.store import Transaction, UtcDateTime
from services.orders.domain import Failure, FailureKind, Line, Order, OrderState

__all__ = ["Base", "Run", "add", "keep", "lapsed", "order_of", "orders_before", "orders_of", "take"]

# Which run over an order it is. A run whose lease has lapsed can't keep anything once another has begun.
Run = int


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
    customer: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    currency_code: Mapped[str] = mapped_column(String(3))  # of the total and of every line
    units: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int]
    paying: Mapped[bool]
    failure: Mapped[str | None] = mapped_column(String(16))
    failure_about: Mapped[str] = mapped_column(String(64))
    failure_available: Mapped[int]
    version: Mapped[int]
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)  # null if a release without it wrote the row
    run: Mapped[int]
    lease_time: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the run has to be over; null if none is due
    lines: Mapped[list[LineRow]] = relationship(order_by=LineRow.position, lazy="selectin")

    __table_args__ = (Index("ix_orders_customer", "customer", "order_id"), Index("ix_orders_lease_time", "lease_time"))


async def add(tx: Transaction, order: Order, *, lease: datetime) -> Run:
    """Keeps a new order. Whoever adds it has the first run, until `lease`."""
    tx.add(
        OrderRow(
            order_id=order.order_id,
            customer=order.customer,
            state=order.state.value,
            currency_code=order.total.currency_code,
            units=order.total.units,
            nanos=order.total.nanos,
            paying=order.paying,
            failure=None,
            failure_about="",
            failure_available=0,
            version=order.version,
            create_time=order.create_time,
            update_time=order.update_time,
            run=1,
            lease_time=lease,
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
    return 1


async def keep(tx: Transaction, order: Order, run: Run) -> bool:
    """Keeps what has changed of an order; False if another run has begun, and nothing is kept."""
    failure = order.failure
    kept = await tx.execute(
        update(OrderRow)
        .where(OrderRow.order_id == order.order_id, OrderRow.run == run)
        .values(
            state=order.state.value,
            paying=order.paying,
            failure=None if failure is None else failure.kind.value,
            failure_about="" if failure is None else failure.about,
            failure_available=0 if failure is None else failure.available,
            version=order.version,
            update_time=order.update_time,
            **({"lease_time": None} if order.settled else {}),
        )
        .returning(OrderRow.order_id)
        .execution_options(synchronize_session=False)  # no row of it is in the session
    )
    return kept.one_or_none() is not None


async def take(tx: Transaction, order_id: str, *, lease: datetime) -> Run:
    """Begins another run over an order, until `lease`."""
    begun = await tx.execute(
        update(OrderRow)
        .where(OrderRow.order_id == order_id)
        .values(run=OrderRow.run + 1, lease_time=lease)
        .returning(OrderRow.run)
    )
    return begun.scalar_one()


async def lapsed(tx: Transaction, now: datetime, *, limit: int) -> list[Order]:
    """Orders of which something is left to be done, and nobody is doing it."""
    query = select(OrderRow).where(OrderRow.lease_time < now).order_by(OrderRow.lease_time).limit(limit)
    return [_order(row) for row in await tx.scalars(query)]


async def order_of(tx: Transaction, order_id: str) -> Order | None:
    """The order with this id."""
    row = await tx.get(OrderRow, order_id)
    return None if row is None else _order(row)


async def orders_of(tx: Transaction, order_ids: Collection[str]) -> dict[str, Order]:
    """The orders with these ids, as far as there are any."""
    rows = await tx.scalars(select(OrderRow).where(OrderRow.order_id.in_(order_ids)))
    return {row.order_id: _order(row) for row in rows}


async def orders_before(tx: Transaction, customer: str, order_id: str | None, *, limit: int) -> list[Order]:
    """A customer's newest orders that are older than one, the newest of all if it is None. Ids sort by time."""
    query = select(OrderRow).where(OrderRow.customer == customer).order_by(OrderRow.order_id.desc()).limit(limit)
    if order_id is not None:
        query = query.where(OrderRow.order_id < order_id)
    return [_order(row) for row in await tx.scalars(query)]


def _order(row: OrderRow) -> Order:
    def money(units: int, nanos: int) -> Money:
        return Money(currency_code=row.currency_code, units=units, nanos=nanos)

    failure = None
    if row.failure is not None:
        failure = Failure(kind=FailureKind(row.failure), about=row.failure_about, available=row.failure_available)
    return Order(
        order_id=row.order_id,
        customer=row.customer,
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
        paying=row.paying,
        failure=failure,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time or row.create_time,
    )
