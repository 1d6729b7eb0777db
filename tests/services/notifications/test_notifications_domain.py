from datetime import UTC, datetime, timedelta

import pytest
from google.type.money_pb2 import Money

from services.notifications.domain import (
    CancelReason,
    Kind,
    Mailbox,
    Notification,
    Pieces,
    order_cancelled,
    order_confirmed,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Money(currency_code="EUR", units=42), "EUR 42"),
        (Money(currency_code="EUR", units=42, nanos=500_000_000), "EUR 42.50"),
        (Money(currency_code="EUR", units=42, nanos=50_000_000), "EUR 42.05"),
        (Money(currency_code="USD", nanos=125_000_000), "USD 0.125"),
        (Money(currency_code="JPY", units=9_007_199_254_740_993), "JPY 9007199254740993"),
        (Money(currency_code="EUR", units=-1, nanos=-500_000_000), "EUR -1.50"),
    ],
)
def test_an_amount_is_told_exactly(amount: Money, text: str) -> None:
    """No digit of it is rounded away."""
    message = order_confirmed("order-1", [Pieces("Matcha", 2), Pieces("Honey Spoon", 1)], amount)
    assert message.text == f"2 × Matcha, 1 × Honey Spoon: {text} charged."  # noqa: RUF001 - the multiplication sign
    assert (message.kind, message.order_id) == (Kind.ORDER_CONFIRMED, "order-1")


def test_every_reason_has_words_of_its_own() -> None:
    """Whoever gets nothing is told why, and that they pay nothing."""
    told = {reason: order_cancelled("order-1", reason).text for reason in CancelReason}
    assert len(set(told.values())) == len(CancelReason)
    assert all(text.endswith("You pay nothing.") for text in told.values())


def test_what_is_read_stays_read_since_then() -> None:
    """A second time changes nothing."""
    message = order_cancelled("order-1", CancelReason.CUSTOMER)
    read = Notification(number=1, message=message, create_time=NOON).read(NOON)
    assert read.read_time == NOON
    assert read.read(NOON + timedelta(hours=1)) == read


def test_a_mailbox_counts_from_one() -> None:
    """And is another value each time."""
    empty = Mailbox(subject="alice", mailbox_id="m")
    assert [empty.next().last_number, empty.next().next().last_number, empty.last_number] == [1, 2, 0]
