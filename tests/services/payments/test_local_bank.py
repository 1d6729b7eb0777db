import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest
from google.type.money_pb2 import Money

from services.payments.bank import LocalBank
from services.payments.cards import CARDS, Operation
from services.payments.domain import DeclineReason, last_four
from services.payments.provider import Declined, PaymentProvider

GOOD, POOR, REFUSED = "4000000000000101", "4000000000000200", "4000000000000218"
GOOD_UNTIL_CHARGED, SILENT = "4000000000000226", "4000000000000309"
LATE, LATE_CHARGE, LATE_RETURN = "4000000000000408", "4000000000000416", "4000000000000424"
FIVE = Money(currency_code="EUR", units=5)
BRIEFLY = 0.2  # seconds; what never answers does not answer in them


@pytest.fixture
def bank(tmp_path: Path, now: Callable[[], datetime]) -> LocalBank:
    """A bank with empty books."""
    return LocalBank(tmp_path / "ledger", now)


def lines(bank: LocalBank) -> list[tuple[str, Operation]]:
    """What the bank did or refused to do."""
    return [(entry.key, entry.operation) for entry in bank.entries()]


async def unanswered(call: Awaitable[None]) -> None:
    """Expects that no answer comes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(BRIEFLY):
            await call


def test_it_is_a_provider(bank: LocalBank) -> None:
    """As far as a type checker can tell."""
    provider: PaymentProvider = bank
    assert provider is bank


def test_every_card_passes_for_a_card() -> None:
    """Its check digit is right (Luhn, ISO/IEC 7812), and its last four digits are no other card's."""
    for number in CARDS:
        digits = [int(digit) for digit in reversed(number)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0, number
    assert len({last_four(number) for number in CARDS}) == len(CARDS)


async def test_money_is_held_charged_and_paid_back(bank: LocalBank) -> None:
    """One line each, with the amount and no card number."""
    await bank.authorize("k", FIVE, GOOD)
    await bank.capture("k")
    await bank.refund("k")
    assert lines(bank) == [("k", Operation.AUTHORIZE), ("k", Operation.CAPTURE), ("k", Operation.REFUND)]
    assert {(entry.amount.units, entry.amount.currency_code, entry.card_last_four) for entry in bank.entries()} == {
        (5, "EUR", "0101")
    }


async def test_what_was_done_is_not_done_again(bank: LocalBank, tmp_path: Path, now: Callable[[], datetime]) -> None:
    """By nobody, at once or later."""
    other = LocalBank(tmp_path / "ledger", now)
    await asyncio.gather(*(each.authorize("k", FIVE, GOOD) for each in (bank, other) * 3))
    await asyncio.gather(*(each.capture("k") for each in (bank, other) * 3))
    assert lines(other) == [("k", Operation.AUTHORIZE), ("k", Operation.CAPTURE)]


@pytest.mark.parametrize(
    ("card_number", "reason"),
    [
        (POOR, DeclineReason.INSUFFICIENT_FUNDS),
        (REFUSED, DeclineReason.CARD_REFUSED),
        ("4111111111111111", DeclineReason.UNKNOWN_CARD),
    ],
)
async def test_a_refusal_is_repeated_and_holds_nothing(
    bank: LocalBank, card_number: str, reason: DeclineReason
) -> None:
    """With its reason; charging it is a mistake of the caller's."""
    for _ in range(2):
        with pytest.raises(Declined) as declined:
            await bank.authorize("k", FIVE, card_number)
        assert declined.value.reason is reason
    with pytest.raises(ValueError, match="capture of k"):
        await bank.capture("k")
    assert lines(bank) == [("k", Operation.AUTHORIZE)]


async def test_a_card_may_be_refused_when_it_is_charged(bank: LocalBank) -> None:
    """However often."""
    await bank.authorize("k", FIVE, GOOD_UNTIL_CHARGED)
    for _ in range(2):
        with pytest.raises(Declined):
            await bank.capture("k")
    assert [entry.declined for entry in bank.entries()] == [None, DeclineReason.CARD_REFUSED]


async def test_a_silent_card_holds_nothing(bank: LocalBank) -> None:
    """And never answers, once or twice."""
    await unanswered(bank.authorize("k", FIVE, SILENT))
    await unanswered(bank.authorize("k", FIVE, SILENT))
    assert lines(bank) == []


async def test_what_answers_late_is_done_and_found_by_a_repeat(bank: LocalBank) -> None:
    """In each operation that has a card for it."""
    await unanswered(bank.authorize("one", FIVE, LATE))
    await bank.authorize("one", FIVE, LATE)
    await bank.authorize("two", FIVE, LATE_CHARGE)
    await unanswered(bank.capture("two"))
    await bank.capture("two")
    await bank.authorize("three", FIVE, LATE_RETURN)
    await unanswered(bank.release("three"))
    await bank.release("three")
    assert len(lines(bank)) == 5


async def test_what_was_released_is_never_held(bank: LocalBank) -> None:
    """Also if nobody had heard of it before: the request to hold it was overtaken."""
    await bank.release("k")
    with pytest.raises(Declined):
        await bank.authorize("k", FIVE, GOOD)
    with pytest.raises(ValueError, match="capture of k"):
        await bank.capture("k")


async def test_what_is_charged_is_not_released(bank: LocalBank) -> None:
    """It has to be paid back, and only that can be."""
    await bank.authorize("k", FIVE, GOOD)
    with pytest.raises(ValueError, match="refund of k"):
        await bank.refund("k")
    await bank.capture("k")
    with pytest.raises(ValueError, match="release of k"):
        await bank.release("k")


async def test_no_card_number_is_on_the_disk(bank: LocalBank, tmp_path: Path) -> None:
    """Not in a column, not in a page that SQLite left behind."""
    for key, number in enumerate([GOOD, POOR, "4111111111111111"]):
        try:
            await bank.authorize(str(key), FIVE, number)
        except Declined:
            continue
    assert lines(bank)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"0101" in kept
    assert not [number for number in (GOOD, POOR, "4111111111111111") if number.encode() in kept]


async def test_what_was_answered_is_in_the_file(bank: LocalBank, tmp_path: Path) -> None:
    """Anyone may count the charges there."""
    await bank.authorize("k", FIVE, GOOD)
    await bank.capture("k")
    with sqlite3.connect(tmp_path / "ledger") as books:
        [(charges,)] = books.execute("SELECT count(*) FROM ledger WHERE operation = 'capture' AND declined IS NULL")
    books.close()
    assert charges == 1
