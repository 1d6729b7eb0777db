"""What an order is, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

__all__ = ["CurrencyMismatch", "Line", "Money", "Order", "OrderState", "order_id"]

_NANOS = 1_000_000_000  # in one unit


class CurrencyMismatch(Exception):  # noqa: N818 - it names what is wrong with the order
    """Two amounts of different currencies were to be added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount, exact: whole units and billionths of one, which have the same sign (google.type.Money)."""

    currency_code: str
    units: int
    nanos: int = 0

    def __add__(self, other: "Money") -> "Money":
        """The sum.

        Raises:
            CurrencyMismatch: `other` is of another currency.
        """
        if other.currency_code != self.currency_code:
            raise CurrencyMismatch(other.currency_code)
        return self._of(self._in_nanos() + other._in_nanos())

    def __mul__(self, factor: int) -> "Money":
        return self._of(self._in_nanos() * factor)

    def _in_nanos(self) -> int:
        return self.units * _NANOS + self.nanos

    def _of(self, nanos: int) -> "Money":
        units, rest = divmod(abs(nanos), _NANOS)
        sign = -1 if nanos < 0 else 1
        return Money(currency_code=self.currency_code, units=sign * units, nanos=sign * rest)


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
        return self.unit_price * self.quantity


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
            total += line.amount
        return cls(order_id=order_id, state=OrderState.PLACED, lines=tuple(lines), total=total, create_time=now)


def order_id(now: datetime, token: str) -> str:
    """An id that sorts by time: milliseconds in hexadecimal digits, then `token`, which makes it unlike any other."""
    return f"{int(now.timestamp() * 1000):012x}-{token}"
