from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain import CurrencyMismatch, Line, Money, Order, order_id

NANOS = 1_000_000_000
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
amounts = st.integers(-(10**15), 10**15)  # in nanos


def money(nanos: int) -> Money:
    """An amount in euros, of nanos."""
    units, rest = divmod(abs(nanos), NANOS)
    sign = -1 if nanos < 0 else 1
    return Money(currency_code="EUR", units=sign * units, nanos=sign * rest)


@given(amounts, amounts)
def test_sums_are_exact(one: int, other: int) -> None:
    """To the billionth, across zero."""
    assert money(one) + money(other) == money(one + other)


@given(amounts, st.integers(0, 1000))
def test_products_are_exact(one: int, factor: int) -> None:
    """To the billionth."""
    assert money(one) * factor == money(one * factor)


@given(amounts, amounts)
def test_units_and_nanos_have_one_sign(one: int, other: int) -> None:
    """As google.type.Money demands, and nanos stay below one unit."""
    total = money(one) + money(other)
    assert abs(total.nanos) < NANOS
    assert total.units * total.nanos >= 0


def test_currencies_are_not_added() -> None:
    """There is no rate here."""
    with pytest.raises(CurrencyMismatch):
        Money(currency_code="EUR", units=1) + Money(currency_code="USD", units=1)  # pyright: ignore[reportUnusedExpression] - it raises


def test_an_order_costs_what_its_lines_cost() -> None:
    """Each price times its quantity."""

    def line(quantity: int, units: int, nanos: int) -> Line:
        price = Money(currency_code="EUR", units=units, nanos=nanos)
        return Line(product_id="tea", quantity=quantity, title="Tea", unit_price=price, reservation_id="r")

    placed = Order.placed("o", [line(3, 0, 990_000_000), line(1, 10, 30_000_000)], NOW)
    assert placed.total == Money(currency_code="EUR", units=13, nanos=0)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1)), st.integers(1, 10**9))  # noqa: DTZ001 - hypothesis adds none
def test_ids_sort_by_time(moment: datetime, later: int) -> None:
    """Newest first is the reverse order of ids."""
    then = moment.replace(tzinfo=UTC)
    assert order_id(then, "zzz") < order_id(then + timedelta(milliseconds=later), "aaa")
