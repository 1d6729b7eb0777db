from datetime import UTC, datetime, timedelta

from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain import Line, Order, order_id

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def test_an_order_costs_what_its_lines_cost() -> None:
    """Each price times its quantity."""

    def line(quantity: int, units: int, nanos: int) -> Line:
        price = Money(currency_code="EUR", units=units, nanos=nanos)
        return Line(product_id="tea", quantity=quantity, title="Tea", unit_price=price, reservation_id="r")

    begun = Order.begun("o", "alice", [line(3, 0, 990_000_000), line(1, 10, 30_000_000)], NOW)
    assert begun.total == Money(currency_code="EUR", units=13, nanos=0)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1)), st.integers(1, 10**9))  # noqa: DTZ001 - hypothesis adds none
def test_ids_sort_by_time(moment: datetime, later: int) -> None:
    """Newest first is the reverse order of ids."""
    then = moment.replace(tzinfo=UTC)
    assert order_id(then, "zzz") < order_id(then + timedelta(milliseconds=later), "aaa")
