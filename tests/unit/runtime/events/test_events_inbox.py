import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2
from probe.v1 import Baked, Cooled
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, text
from sqlalchemy.exc import OperationalError

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime import StatusError
from protomesh.runtime.current import current, time_remaining
from protomesh.runtime.events import Delivery, on
from protomesh.runtime.events.consumers import Consumers
from protomesh.runtime.events.inbox import Inbox
from protomesh.runtime.store import Database
from protomesh.runtime.user import User

APPLIED, FAILED, HELD_BACK = Result.OUTCOME_APPLIED, Result.OUTCOME_FAILED, Result.OUTCOME_HELD_BACK


_TABLES = MetaData()
Table("ovens", _TABLES, Column("oven", String(16), primary_key=True))
Table(
    "loaves",
    _TABLES,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("oven", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("known", ForeignKey("ovens.oven", deferrable=True, initially="DEFERRED")),
)


class Shelf:
    """Writes down each loaf in its own table, and does besides what the test says."""

    def __init__(self) -> None:
        self.besides: Callable[[Any, Delivery], Any] | None = None

    @on(Baked)
    async def take(self, event: Baked, delivery: Delivery) -> None:
        """Writes it down."""
        await delivery.tx.execute(
            text("INSERT INTO loaves (oven, number) VALUES (:oven, :number)"),
            {"oven": event.oven, "number": event.number},
        )
        if self.besides is not None:
            await self.besides(event, delivery)


@pytest.fixture
async def shelf(subscriber: Database) -> Shelf:
    """A consumer with its table."""
    async with subscriber.begin() as tx:
        await (await tx.connection()).run_sync(_TABLES.create_all)
    return Shelf()


@pytest.fixture
def inbox(subscriber: Database, shelf: Shelf) -> Inbox:
    """The inbox of that consumer."""
    return Inbox(subscriber, Consumers([shelf]))


async def loaves(db: Database) -> list[tuple[str, int]]:
    """What the consumer has written down, in its order."""
    async with db.read() as tx:
        return [
            (row.oven, row.number)
            for row in await tx.execute(text("SELECT oven, number FROM loaves ORDER BY position"))
        ]


def event(oven: str, number: int, **metadata: str) -> Event:
    """An event as it is delivered."""
    made = Event(event_id=f"{oven}{number}", key=oven, metadata=metadata)
    made.content.Pack(Baked(oven=oven, number=number))
    return made


def outcomes(results: list[Result]) -> list[int]:
    """What became of each."""
    return [result.outcome for result in results]


def insert_broken(number: int) -> Callable[[Any, Delivery], Any]:
    """Breaks a constraint that is looked at when the transaction ends."""

    async def besides(loaf: Any, delivery: Delivery) -> None:
        if loaf.number == number:
            await delivery.tx.execute(text("UPDATE loaves SET known = 'nobody' WHERE number = :n"), {"n": number})

    return besides


async def test_a_batch_is_applied_in_its_order(subscriber: Database, inbox: Inbox) -> None:
    """Each event gets a result, more than share a transaction too."""
    events = [event("left", number) for number in range(150)]
    assert outcomes(await inbox.apply(events, "bakery")) == [APPLIED] * 150
    assert await loaves(subscriber) == [("left", number) for number in range(150)]


async def test_a_second_delivery_changes_nothing(subscriber: Database, inbox: Inbox) -> None:
    """In another batch or in the same one; the publisher learns that it is applied."""
    assert outcomes(await inbox.apply([event("left", 1), event("left", 1)], None)) == [APPLIED, APPLIED]
    assert outcomes(await inbox.apply([event("left", 1)], None)) == [APPLIED]
    assert await loaves(subscriber) == [("left", 1)]


async def test_a_failure_undoes_its_own_effect_and_holds_back_its_key(
    subscriber: Database, inbox: Inbox, shelf: Shelf
) -> None:
    """Events of other keys go on. Nothing of what went wrong is told but an id for the log."""

    async def besides(loaf: Any, _delivery: Delivery) -> None:
        if loaf.number == 2:
            raise RuntimeError("password=hunter2")

    shelf.besides = besides
    batch = [event("left", 1), event("left", 2), event("right", 1), event("left", 3), event("right", 3)]
    results = await inbox.apply(batch, None)
    assert outcomes(results) == [APPLIED, FAILED, APPLIED, HELD_BACK, APPLIED]
    assert results[1].code == code_pb2.INTERNAL
    assert "hunter2" not in results[1].message
    assert await loaves(subscriber) == [("left", 1), ("right", 1), ("right", 3)]
    shelf.besides = None
    assert outcomes(await inbox.apply(batch, None)) == [APPLIED] * 5
    assert await loaves(subscriber) == [("left", 1), ("right", 1), ("right", 3), ("left", 2), ("left", 3)]


async def test_events_without_a_key_hold_nobody_back(inbox: Inbox, shelf: Shelf) -> None:
    """They have no order."""

    async def besides(loaf: Any, _delivery: Delivery) -> None:
        if loaf.number == 1:
            raise RuntimeError

    shelf.besides = besides
    assert outcomes(await inbox.apply([event("", 1), event("", 2)], None)) == [FAILED, APPLIED]


async def test_what_fails_at_the_end_of_the_transaction_undoes_nobody_else(
    subscriber: Database, inbox: Inbox, shelf: Shelf
) -> None:
    """A group that can't be kept is applied one by one, and only the culprit fails."""
    shelf.besides = insert_broken(2)
    results = await inbox.apply(
        [event(oven, number) for oven, number in (("a", 1), ("b", 2), ("b", 3), ("c", 4))], None
    )
    assert outcomes(results) == [APPLIED, FAILED, HELD_BACK, APPLIED]
    assert await loaves(subscriber) == [("a", 1), ("c", 4)]


async def test_a_service_that_does_not_answer_is_told_by_its_code(inbox: Inbox, shelf: Shelf) -> None:
    """The publisher must be able to tell it from a fault of the event."""

    async def besides(_loaf: Any, _delivery: Delivery) -> None:
        raise StatusError(grpc.StatusCode.UNAVAILABLE, "the mill is closed")

    shelf.besides = besides
    (result,) = await inbox.apply([event("left", 1)], None)
    assert (result.outcome, result.code, result.message) == (FAILED, code_pb2.UNAVAILABLE, "the mill is closed")


async def test_a_database_that_went_away_is_no_fault_of_the_event(
    subscriber: Database, inbox: Inbox, shelf: Shelf
) -> None:
    """No result is given: the event comes again, and has not failed."""
    lost = [OperationalError("INSERT", None, ConnectionError("gone"), connection_invalidated=True)]

    async def besides(loaf: Any, _delivery: Delivery) -> None:
        if loaf.number == 2 and lost:
            raise lost.pop()

    shelf.besides = besides
    assert await inbox.apply([event("a", 1), event("b", 2)], None) == []
    assert outcomes(await inbox.apply([event("a", 1), event("b", 2)], None)) == [APPLIED, APPLIED]
    assert await loaves(subscriber) == [("a", 1), ("b", 2)]


async def test_an_event_that_takes_too_long_is_late_and_not_wrong(subscriber: Database, shelf: Shelf) -> None:
    """DEADLINE_EXCEEDED; the others of the batch are applied."""

    async def besides(loaf: Any, _delivery: Delivery) -> None:
        if loaf.number == 2:
            await asyncio.Event().wait()

    shelf.besides = besides
    inbox = Inbox(subscriber, Consumers([shelf]), patience=timedelta(milliseconds=200))
    results = await inbox.apply([event("a", 1), event("b", 2), event("c", 3)], None)
    assert outcomes(results) == [APPLIED, FAILED, APPLIED]
    assert results[1].code == code_pb2.DEADLINE_EXCEEDED
    assert await loaves(subscriber) == [("a", 1), ("c", 3)]


async def test_an_event_that_alone_is_late_counts(subscriber: Database, shelf: Any) -> None:
    """While others of its kind are handled nothing is missing that it could wait for. Else it says nothing of it."""

    async def besides(loaf: Any, _delivery: Delivery) -> None:
        if loaf.number == 2:
            await asyncio.Event().wait()

    shelf.besides = besides
    inbox = Inbox(subscriber, Consumers([shelf]), patience=timedelta(milliseconds=200))
    late = event("b", 2)
    codes: list[int] = []
    for others in ([], [], [event("a", 1)], [], [event("a", 3), event("c", 4)]):
        results = await inbox.apply([late, *others], None)
        assert outcomes(results) == [FAILED, *[APPLIED] * len(others)]
        codes.append(results[0].code)
    late_one, counts = code_pb2.DEADLINE_EXCEEDED, code_pb2.ABORTED
    assert codes == [late_one, late_one, late_one, counts, late_one]
    (result,) = await inbox.apply([late], None)
    assert result.message == "the consumer of probe.v1.Baked took longer than 0.2 s; others of its kind do not"


async def test_a_statement_that_is_late_fails_by_itself(subscriber: Database, shelf: Any) -> None:
    """The database is left in the middle of it; once it has ended there, others go on."""
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) SELECT max(i) FROM n"

    async def besides(loaf: Any, delivery: Delivery) -> None:
        if loaf.number == 2:
            await delivery.tx.execute(text(long))

    shelf.besides = besides
    inbox = Inbox(subscriber, Consumers([shelf]), patience=timedelta(milliseconds=200))
    results = await inbox.apply([event("a", 1), event("b", 2), event("c", 3)], None)
    if len(results) == 2:  # a busy machine is so long at it that the batch has no time left: then the last comes again
        results += await inbox.apply([event("c", 3)], None)
    assert outcomes(results) == [APPLIED, FAILED, APPLIED]
    assert await loaves(subscriber) == [("a", 1), ("c", 3)]


async def test_an_event_that_nobody_here_knows_waits(inbox: Inbox) -> None:
    """A worker of an older release may be asked while a newer one starts."""
    unknown = Event(event_id="1", key="7")
    unknown.content.Pack(Cooled(oven=7))
    (result,) = await inbox.apply([unknown], None)
    assert (result.outcome, result.code) == (FAILED, code_pb2.UNAVAILABLE)


async def test_bytes_that_are_no_such_message_are_a_fault_of_the_event(inbox: Inbox) -> None:
    """It would never become one."""
    broken = event("left", 1)
    broken.content.value = b"\xff"
    (result,) = await inbox.apply([broken], None)
    assert (result.outcome, result.code) == (FAILED, code_pb2.INTERNAL)


async def test_a_consumer_knows_whose_event_it_is(inbox: Inbox, shelf: Shelf) -> None:
    """Publisher, id, user; and what it calls carries on the trace, within the event's time."""
    seen: list[Any] = []

    async def besides(_loaf: Any, delivery: Delivery) -> None:
        scope = current.get()
        assert scope is not None
        left = time_remaining()
        assert left is not None
        seen.append((delivery.publisher, delivery.event_id, delivery.user, scope.request_id, 0 < left <= 5))

    shelf.besides = besides
    travelling = {"x-request-id": "r1", "x-protomesh-subject": "alice", "x-protomesh-scopes": "a b"}
    await inbox.apply([event("left", 1, **travelling)], "bakery")
    assert seen == [("bakery", "left1", User("alice", frozenset({"a", "b"})), "r1", True)]
    assert current.get() is None


async def test_marks_are_forgotten_by_age(inbox: Inbox, clock: Any, subscriber: Database, shelf: Shelf) -> None:
    """What is delivered again after that is applied again."""
    inbox = Inbox(subscriber, Consumers([shelf]), now=clock)
    await inbox.apply([event("left", 1)], None)
    assert await inbox.forget(before=clock()) == 0
    clock.pass_by(1)
    assert await inbox.forget(before=clock()) == 1
    await inbox.apply([event("left", 1)], None)
    assert await loaves(subscriber) == [("left", 1), ("left", 1)]
