from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import Stock

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, tzinfo=UTC)

# What happens to stock: pieces come in or go out, are held, are let go again.
changes = st.lists(st.tuples(st.sampled_from(["adjust", "hold", "let go"]), st.integers(-30, 30)), max_size=60)


def changed(stock: Stock, kind: str, number: int) -> Stock | None:
    """The stock after one change; None if it may not happen."""
    if kind == "adjust":
        return stock.adjusted(number, NOW)
    if kind == "hold":
        return stock.holding(abs(number), NOW)
    return stock.letting_go(min(abs(number), stock.reserved), NOW)


@given(changes)
def test_there_are_never_fewer_pieces_than_are_held(what: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order."""
    stock = Stock.none_yet("tea", THEN)
    for kind, number in what:
        after = changed(stock, kind, number)
        if after is not None:
            assert after.version == stock.version + 1
            assert after.update_time == NOW
            stock = after
        assert 0 <= stock.reserved <= stock.on_hand
        assert stock.available >= 0


def test_exactly_what_is_there_can_be_held() -> None:
    """The last piece too."""
    stock = Stock(product_id="tea", on_hand=3, reserved=1, version=1, update_time=THEN)
    assert stock.holding(3, NOW) is None
    held = stock.holding(2, NOW)
    assert held is not None
    assert held.available == 0
