"""Payments in the database."""

from datetime import datetime

from google.type.money_pb2 import Money
from sqlalchemy import BigInteger, Index, String, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.payments.domain import DeclineReason, Payment, PaymentState

__all__ = ["Base", "close", "is_closed", "left_behind", "payment_of", "put_payment"]


class Base(DeclarativeBase):
    """The tables of the payments."""


class PaymentRow(Base):
    """One payment."""

    __tablename__ = "payments"

    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    payer: Mapped[str] = mapped_column(String(255))
    order_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    currency_code: Mapped[str] = mapped_column(String(3))
    units: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int]
    card_last_four: Mapped[str] = mapped_column(String(4))
    decline_reason: Mapped[str | None] = mapped_column(String(32))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_payments_state", "state", "update_time"),)


class ClosedRow(Base):
    """An id that was given up before there was a payment of it."""

    __tablename__ = "closed_payments"

    payment_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    close_time: Mapped[datetime] = mapped_column(UtcDateTime)


async def payment_of(tx: Transaction, payment_id: str) -> Payment | None:
    """The payment with this id."""
    row = await tx.scalar(select(PaymentRow).where(PaymentRow.payment_id == payment_id))
    if row is None:
        return None
    return Payment(
        payment_id=row.payment_id,
        payer=row.payer,
        order_id=row.order_id,
        state=PaymentState(row.state),
        amount=Money(currency_code=row.currency_code, units=row.units, nanos=row.nanos),
        card_last_four=row.card_last_four,
        decline_reason=None if row.decline_reason is None else DeclineReason(row.decline_reason),
        create_time=row.create_time,
        update_time=row.update_time,
    )


async def left_behind(tx: Transaction, *, held: datetime, releasing: datetime, limit: int) -> list[str]:
    """The ids of payments that hold something, or may, since before `held`, or are let go since before `releasing`."""
    holding = PaymentRow.state.in_([PaymentState.AUTHORIZING.value, PaymentState.AUTHORIZED.value])
    query = select(PaymentRow.payment_id).where(
        or_(
            holding & (PaymentRow.update_time < held),
            (PaymentRow.state == PaymentState.RELEASING.value) & (PaymentRow.update_time < releasing),
        )
    )
    return list(await tx.scalars(query.order_by(PaymentRow.update_time).limit(limit)))


async def put_payment(tx: Transaction, payment: Payment) -> None:
    """Keeps a payment in the place of what was there."""
    await tx.merge(
        PaymentRow(
            payment_id=payment.payment_id,
            payer=payment.payer,
            order_id=payment.order_id,
            state=payment.state.value,
            currency_code=payment.amount.currency_code,
            units=payment.amount.units,
            nanos=payment.amount.nanos,
            card_last_four=payment.card_last_four,
            decline_reason=None if payment.decline_reason is None else payment.decline_reason.value,
            create_time=payment.create_time,
            update_time=payment.update_time,
        )
    )


async def close(tx: Transaction, payment_id: str, now: datetime) -> None:
    """Gives up an id of which there is no payment; twice does no harm."""
    await tx.merge(ClosedRow(payment_id=payment_id, close_time=now))


async def is_closed(tx: Transaction, payment_id: str) -> bool:
    """Whether the id was given up."""
    return await tx.get(ClosedRow, payment_id) is not None
