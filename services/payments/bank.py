"""The local provider: a bank in a file, whose cards decide what happens."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from google.type.money_pb2 import Money

from services.payments.cards import CARDS, Card, Operation
from services.payments.domain import DeclineReason, last_four
from services.payments.provider import Declined

__all__ = ["Entry", "LocalBank"]

# One line for each thing that was done or refused, and never one that is changed: what makes a repeat one charge is
# the primary key.
_LEDGER = """
CREATE TABLE IF NOT EXISTS ledger (
    key TEXT NOT NULL,
    operation TEXT NOT NULL,
    declined TEXT, -- why; null if it was done
    currency_code TEXT NOT NULL,
    units INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    card_last_four TEXT NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (key, operation)
) STRICT
"""
_READ_ALL = "SELECT key, operation, declined, currency_code, units, nanos, card_last_four FROM ledger ORDER BY rowid"
_READ_KEY = "SELECT key, operation, declined, currency_code, units, nanos, card_last_four FROM ledger WHERE key = ?"
_WRITE = """
INSERT INTO ledger (key, operation, declined, currency_code, units, nanos, card_last_four, time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_WAIT_SECONDS = 5.0  # for another process to be done with the ledger
_UNKNOWN_AMOUNT = Money(currency_code="XXX")  # of what was never authorized; ISO 4217: no currency
_BY_LAST_FOUR: Mapping[str, Card] = {last_four(number): card for number, card in CARDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    key: str
    operation: Operation
    declined: DeclineReason | None
    amount: Money
    card_last_four: str


class LocalBank:
    """A `PaymentProvider` that needs nobody: its cards are in `cards.py`, its books in a file of its own.

    Everything is on the disk before it is answered, and any number of processes may share the file. It stands for
    somebody else's machine: it shares no transaction with the payments, and what it did it remembers, whether or not
    anyone heard the answer.
    """

    def __init__(self, ledger: Path, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    async def authorize(self, key: str, amount: Money, card_number: str) -> None:
        card = CARDS.get(card_number)
        if card is not None and Operation.AUTHORIZE in card.silent:
            await _never()
        refusal = DeclineReason.UNKNOWN_CARD if card is None else card.refuses.get(Operation.AUTHORIZE)
        await self._do(
            Entry(
                key=key,
                operation=Operation.AUTHORIZE,
                declined=refusal,
                amount=amount,
                card_last_four=last_four(card_number),
            )
        )

    async def capture(self, key: str) -> None:
        await self._follow(key, Operation.CAPTURE)

    async def release(self, key: str) -> None:
        await self._follow(key, Operation.RELEASE)

    async def refund(self, key: str) -> None:
        await self._follow(key, Operation.REFUND)

    def entries(self) -> list[Entry]:
        """The whole ledger, oldest first: what really happened to the money."""
        with self._books() as books:
            return [_entry(row) for row in books.execute(_READ_ALL)]

    async def _follow(self, key: str, operation: Operation) -> None:
        """Does something with what was authorized, whatever that was."""
        await self._do(Entry(key=key, operation=operation, declined=None, amount=_UNKNOWN_AMOUNT, card_last_four=""))

    async def _do(self, asked: Entry) -> None:
        # In a thread: the disk may be slow, and a bank finishes what it has begun, whoever has hung up.
        entry, new = await asyncio.to_thread(self._enter, asked)
        card = _BY_LAST_FOUR.get(entry.card_last_four)
        if new and card is not None and entry.operation in card.late:
            await _never()
        if entry.declined is not None:
            raise Declined(entry.declined)

    def _enter(self, asked: Entry) -> tuple[Entry, bool]:
        """The line for what is asked, and whether it is new."""
        with self._books() as books:
            known = {entry.operation: entry for entry in map(_entry, books.execute(_READ_KEY, (asked.key,)))}
            if asked.operation in known:
                return known[asked.operation], False
            entry = _ruled(asked, known)
            amount, declined = entry.amount, None if entry.declined is None else entry.declined.value
            money = (amount.currency_code, amount.units, amount.nanos)
            line = (entry.key, entry.operation.value, declined, *money, entry.card_last_four, self._now().isoformat())
            books.execute(_WRITE, line)
            return entry, True

    @contextmanager
    def _books(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._ledger, timeout=_WAIT_SECONDS, isolation_level=None)) as books:
            books.execute("PRAGMA synchronous = FULL")
            books.execute("BEGIN IMMEDIATE")
            books.execute(_LEDGER)
            yield books
            books.execute("COMMIT")  # a connection that is closed without it has done nothing


def _ruled(asked: Entry, known: Mapping[Operation, Entry]) -> Entry:
    """What the bank makes of something that it is asked for the first time.

    Raises:
        ValueError: Nobody who keeps account of a payment asks for this.
    """
    held, charged = known.get(Operation.AUTHORIZE), known.get(Operation.CAPTURE)
    released = Operation.RELEASE in known
    match asked.operation:
        case Operation.AUTHORIZE:
            return replace(asked, declined=DeclineReason.CARD_REFUSED) if released else asked
        case Operation.RELEASE if charged is None:
            return asked if held is None else _of(held, asked.operation)
        case Operation.CAPTURE if held is not None and held.declined is None and not released:
            card = _BY_LAST_FOUR.get(held.card_last_four)
            refusal = None if card is None else card.refuses.get(Operation.CAPTURE)
            return replace(_of(held, asked.operation), declined=refusal)
        case Operation.REFUND if held is not None and charged is not None and charged.declined is None:
            return _of(held, asked.operation)
        case _:
            done = ", ".join(operation.value for operation in known) or "nothing"
            raise ValueError(f"{asked.operation.value} of {asked.key}, for which the ledger has: {done}")


def _of(held: Entry, operation: Operation) -> Entry:
    return replace(held, operation=operation, declined=None)


def _entry(row: tuple[str, str, str | None, str, int, int, str]) -> Entry:
    key, operation, declined, currency_code, units, nanos, card_last_four = row
    return Entry(
        key=key,
        operation=Operation(operation),
        declined=None if declined is None else DeclineReason(declined),
        amount=Money(currency_code=currency_code, units=units, nanos=nanos),
        card_last_four=card_last_four,
    )


async def _never() -> NoReturn:
    """Waits for whoever hangs up."""
    await asyncio.Event().wait()
    raise AssertionError  # nobody sets that event
