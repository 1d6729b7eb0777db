"""What an order is, what it costs, and how it comes about or does not."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from google.type.money_pb2 import Money

from protomesh.runtime.money import add, times

__all__ = ["Failure", "FailureKind", "Line", "Order", "OrderState", "named", "order_id"]

# Makes the ids of what an order asks of others from its own: whoever asks again asks for the same thing.
_NAMES = uuid.UUID("6f2f9f0e-6a0a-4a55-8f3c-0d7e5c1f6b1a")


class OrderState(Enum):
    """How far an order is."""

    RESERVING = "reserving"  # its stock is being held
    AUTHORIZING = "authorizing"  # its money is being held
    CONFIRMING = "confirming"  # its stock is being made its own
    CAPTURING = "capturing"  # it is confirmed, and being charged
    PLACED = "placed"
    GIVING_UP = "giving_up"  # what was held is being given back
    FAILED = "failed"
    CANCELLING = "cancelling"  # what was taken is being given back
    CANCELLED = "cancelled"


_FINAL = frozenset({OrderState.FAILED, OrderState.CANCELLED})


class FailureKind(Enum):
    """Why an order does not come about."""

    OUT_OF_STOCK = "out_of_stock"  # of a product; `available` says how much there was
    NOT_SOLD = "not_sold"  # a product
    DECLINED = "declined"  # the card, for a reason
    INTERRUPTED = "interrupted"  # somebody did not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an order does not come about, as its customer is told."""

    kind: FailureKind
    about: str = ""  # the product, or the reason
    available: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Some pieces of one product, at the price of the moment."""

    product_id: str
    quantity: int
    title: str
    unit_price: Money
    reservation_id: str

    @property
    def amount(self) -> Money:
        """What the line costs."""
        return times(self.unit_price, self.quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody ordered. Changes make a new one, one version on."""

    order_id: str
    customer: str  # the subject of the user's token
    state: OrderState
    lines: tuple[Line, ...]
    total: Money
    paying: bool = False  # whether the payments may have heard of it
    failure: Failure | None = None
    version: int = 1  # of this order; only ever grows
    create_time: datetime
    update_time: datetime

    @classmethod
    def begun(cls, order_id: str, customer: str, lines: Sequence[Line], now: datetime) -> "Order":
        """A new order, of which nothing is held yet.

        Raises:
            CurrencyMismatch: The lines have no common currency.
        """
        total = lines[0].amount
        for line in lines[1:]:
            total = add(total, line.amount)
        return cls(
            order_id=order_id,
            customer=customer,
            state=OrderState.RESERVING,
            lines=tuple(lines),
            total=total,
            create_time=now,
            update_time=now,
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.state is OrderState.PLACED or self.final

    @property
    def final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in _FINAL

    @property
    def payment_id(self) -> str:
        """What its payment is called, from before there is one."""
        return named(self.order_id, "payment:")

    def reserved(self, now: datetime) -> "Order":
        """The order with its stock held: next is its money, unless it costs nothing."""
        if not self.total.units and not self.total.nanos:
            return self._moved(OrderState.RESERVING, OrderState.CONFIRMING, now)
        return replace(self._moved(OrderState.RESERVING, OrderState.AUTHORIZING, now), paying=True)

    def authorized(self, now: datetime) -> "Order":
        """The order with its money held too."""
        return self._moved(OrderState.AUTHORIZING, OrderState.CONFIRMING, now)

    def confirmed(self, now: datetime) -> "Order":
        """The order whose stock is its own for good: it is charged now, unless it costs nothing."""
        return self._moved(OrderState.CONFIRMING, OrderState.CAPTURING if self.paying else OrderState.PLACED, now)

    def captured(self, now: datetime) -> "Order":
        """The order, paid for."""
        return self._moved(OrderState.CAPTURING, OrderState.PLACED, now)

    def giving_up(self, failure: Failure, now: datetime) -> "Order":
        """The order that will not come about."""
        return replace(self._moved(self.state, OrderState.GIVING_UP, now), failure=failure)

    def cancelling(self, now: datetime) -> "Order | None":
        """The order on its way to be cancelled, or where that has led; None if it can't be cancelled."""
        if self.state is OrderState.PLACED:
            return self._moved(OrderState.PLACED, OrderState.CANCELLING, now)
        return self if self.state in {OrderState.CANCELLING, OrderState.CANCELLED} else None

    def given_back(self, now: datetime) -> "Order":
        """The order of which nothing is held and nothing charged any more."""
        if self.state is OrderState.GIVING_UP:
            return self._moved(OrderState.GIVING_UP, OrderState.FAILED, now)
        return self._moved(OrderState.CANCELLING, OrderState.CANCELLED, now)

    def _moved(self, before: OrderState, after: OrderState, now: datetime) -> "Order":
        assert self.state is before, f"{self.order_id} is {self.state.value}, not {before.value}"
        return replace(self, state=after, version=self.version + 1, update_time=now)


def named(order_id: str, purpose: str) -> str:
    """A UUID for something that an order asks of others; always the same one. Products are purposes of their own."""
    return str(uuid.uuid5(_NAMES, f"{order_id}/{purpose}"))


def order_id(now: datetime, token: str) -> str:
    """An id that sorts by time: milliseconds in hexadecimal digits, then `token`, which makes it unlike any other."""
    return f"{int(now.timestamp() * 1000):012x}-{token}"
