"""What an order is, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from google.type.money_pb2 import Money

from protomesh.runtime.money import add, times

__all__ = ["Line", "Order", "OrderState", "order_id"]


class OrderState(Enum):
    """How far an order is."""

    PLACED = "placed"  # its stock is held


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
    """What somebody ordered."""

    order_id: str
    state: OrderState
    lines: tuple[Line, ...]
    total: Money
    create_time: datetime

    @classmethod
    def placed(cls, order_id: str, lines: Sequence[Line], now: datetime) -> "Order":
        """A new order.

        Raises:
            CurrencyMismatch: The lines have no common currency.
        """
        total = lines[0].amount
        for line in lines[1:]:
            total = add(total, line.amount)
        return cls(order_id=order_id, state=OrderState.PLACED, lines=tuple(lines), total=total, create_time=now)


def order_id(now: datetime, token: str) -> str:
    """An id that sorts by time: milliseconds in hexadecimal digits, then `token`, which makes it unlike any other."""
    return f"{int(now.timestamp() * 1000):012x}-{token}"
