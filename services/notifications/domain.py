"""What users are told, in words; and how a mailbox counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from google.type.money_pb2 import Money

__all__ = ["CancelReason", "Kind", "Mailbox", "Message", "Notification", "Pieces", "order_cancelled", "order_confirmed"]

_FEWEST_DECIMALS = 2  # of an amount that is not whole


class Kind(Enum):
    """What a message is about."""

    ORDER_CONFIRMED = "order_confirmed"
    ORDER_CANCELLED = "order_cancelled"


class CancelReason(Enum):
    """Why an order came to nothing."""

    CUSTOMER = "customer"
    PAYMENT_DECLINED = "payment_declined"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"  # a reason that this release does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody is to be told."""

    kind: Kind
    order_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A message in a mailbox."""

    number: int  # in its mailbox: 1, 2, 3, in the order in which they came
    message: Message
    create_time: datetime
    read_time: datetime | None = None

    def read(self, now: datetime) -> "Notification":
        """The same, marked as read; when it was read first stays."""
        return self if self.read_time is not None else replace(self, read_time=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Where the messages of one user are. It outlives them, so that no number is given twice."""

    subject: str  # whose it is: the subject of their tokens
    mailbox_id: str  # tells it from one of the same user in another database, or in this one before it was emptied
    last_number: int = 0

    def next(self) -> "Mailbox":
        """The mailbox with one more message."""
        return replace(self, last_number=self.last_number + 1)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Some pieces of one product."""

    title: str
    quantity: int


def order_confirmed(order_id: str, lines: Sequence[Pieces], total: Money) -> Message:
    """What a customer is told once an order is paid."""
    goods = ", ".join(f"{line.quantity} \N{MULTIPLICATION SIGN} {line.title}" for line in lines)
    return Message(
        kind=Kind.ORDER_CONFIRMED,
        order_id=order_id,
        title="Your order is confirmed",
        text=f"{goods or 'Your order'}: {_amount(total)} charged.",
    )


def order_cancelled(order_id: str, reason: CancelReason) -> Message:
    """What a customer is told when an order came to nothing."""
    return Message(
        kind=Kind.ORDER_CANCELLED,
        order_id=order_id,
        title="Your order is cancelled",
        text=f"{_WHY[reason]} You pay nothing.",
    )


_WHY = {
    CancelReason.CUSTOMER: "You cancelled it.",
    CancelReason.PAYMENT_DECLINED: "Your card was declined.",
    CancelReason.UNAVAILABLE: "Something went wrong at our end. Please order again.",
    CancelReason.UNKNOWN: "It could not be carried out.",
}


def _amount(money: Money) -> str:
    """An amount for people: EUR 42, EUR 42.50, EUR 0.125. How many decimals a currency has is not known here."""
    sign = "-" if money.units < 0 or money.nanos < 0 else ""
    decimals = f"{abs(money.nanos):09}".rstrip("0")
    fraction = f".{decimals.ljust(_FEWEST_DECIMALS, '0')}" if decimals else ""
    return f"{money.currency_code} {sign}{abs(money.units)}{fraction}"
