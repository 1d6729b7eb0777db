from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from google.rpc import code_pb2
from probe.v1 import Baked, Rung
from sqlalchemy import select

from protomesh.events.v1.event_consumer_service_pb2 import Result
from protomesh.runtime.events import publish
from protomesh.runtime.events.queue import Queue
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.events.tables import DEFERRED, OUTBOX
from protomesh.runtime.events.trim import trim
from protomesh.runtime.store import Database

APPLIED = Result(outcome=Result.OUTCOME_APPLIED)
HELD_BACK = Result(outcome=Result.OUTCOME_HELD_BACK)
FAULT = Result(outcome=Result.OUTCOME_FAILED, code=code_pb2.INTERNAL, message="stale")
CLOSED = Result(outcome=Result.OUTCOME_FAILED, code=code_pb2.UNAVAILABLE, message="closed")
RETRIES = Retries(failures=3, first=timedelta(seconds=1), longest=timedelta(seconds=4))


@pytest.fixture
def queue(publisher: Database, clock: Any) -> Queue:
    """What a shelf that wants loaves has still to be told."""
    return Queue(publisher, "shelf", ["probe.v1.Baked"], retries=RETRIES, now=clock)


async def bake(db: Database, *loaves: str) -> None:
    """Publishes loaves, written as `left1`."""
    async with db.begin() as tx:
        for loaf in loaves:
            await publish(tx, Baked(oven=loaf[:-1], number=int(loaf[-1])))


async def deliver(queue: Queue, *results: Result, limit: int = 100) -> list[str]:
    """Takes a batch and settles it so; what was in it, written as above."""
    batch = await queue.take(limit)
    if batch is None:
        return []
    baked = [Baked.FromString(event.content.value) for event in batch.events]
    await queue.settle(batch, results or [APPLIED] * len(baked))
    return [f"{loaf.oven}{loaf.number}" for loaf in baked]


async def deferred(db: Database) -> list[Sequence[Any]]:
    """What is behind the cursor: key, tries, failures, dead."""
    async with db.read() as tx:
        columns = (DEFERRED.c.key, DEFERRED.c.tries, DEFERRED.c.failures, DEFERRED.c.dead)
        return [tuple(row) for row in await tx.execute(select(*columns).order_by(DEFERRED.c.sequence))]


async def test_what_is_applied_is_not_taken_again(publisher: Database, queue: Queue) -> None:
    """In order, so many at a time as one wants."""
    await bake(publisher, "left1", "right1", "left2")
    assert await deliver(queue, limit=2) == ["left1", "right1"]
    assert await deliver(queue) == ["left2"]
    assert await queue.take(100) is None


async def test_what_got_no_result_is_taken_again(publisher: Database, queue: Queue) -> None:
    """The consumer had no time for it, or said something that makes no sense."""
    await bake(publisher, "left1", "left2", "left3")
    assert await deliver(queue, APPLIED) == ["left1", "left2", "left3"]
    assert await deliver(queue, Result(), APPLIED) == ["left2", "left3"]
    assert await deliver(queue, HELD_BACK, APPLIED) == ["left2", "left3"]
    assert await deliver(queue) == ["left2", "left3"]
    assert await deferred(publisher) == []


async def test_a_batch_that_led_nowhere_is_told_from_one_that_did(publisher: Database, queue: Queue) -> None:
    """So that nobody asks in a tight loop."""
    await bake(publisher, "left1")
    batch = await queue.take(100)
    assert batch is not None
    assert await queue.settle(batch, []) is False
    assert await queue.settle(batch, [APPLIED]) is True


async def test_events_that_nobody_here_wants_are_passed(publisher: Database, queue: Queue) -> None:
    """They are not delivered, and not looked at again."""
    async with publisher.begin() as tx:
        await publish(tx, Rung(who="me"))
    await bake(publisher, "left1")
    assert await deliver(queue) == ["left1"]
    assert await queue.take(100) is None


async def test_a_failure_holds_up_its_key_and_no_other(publisher: Database, queue: Queue, clock: Any) -> None:
    """The cursor goes on; later events of the key wait in their order, and follow when the first is through."""
    await bake(publisher, "left1", "right1", "left2")
    assert await deliver(queue, FAULT, APPLIED, HELD_BACK) == ["left1", "right1", "left2"]
    await bake(publisher, "left3", "right2")
    assert await deliver(queue) == ["right2"]
    assert await queue.take(100) is None
    assert await deferred(publisher) == [("left", 1, 1, False), ("left", 0, 0, False), ("left", 0, 0, False)]
    clock.pass_by(1)
    assert await deliver(queue) == ["left1", "left2", "left3"]
    assert await deferred(publisher) == []
    await bake(publisher, "left4")
    assert await deliver(queue) == ["left4"]


async def test_pauses_grow_up_to_a_limit(publisher: Database, queue: Queue, clock: Any) -> None:
    """Somebody who does not answer is asked less and less often, and never given up."""
    await bake(publisher, "left1")
    await deliver(queue, CLOSED)
    for pause in (1, 2, 4, 4, 4, 4):
        assert await queue.take(100) is None
        assert queue.next_due is not None
        assert queue.next_due - clock() == timedelta(seconds=pause)
        clock.pass_by(pause)
        assert await deliver(queue, CLOSED) == ["left1"]
    assert await deferred(publisher) == [("left", 7, 0, False)]


async def test_an_event_that_keeps_failing_becomes_a_dead_letter(publisher: Database, queue: Queue, clock: Any) -> None:
    """It is not tried again by itself, and its key is parked; what nobody answered for did not count."""
    await bake(publisher, "left1", "left2")
    await deliver(queue, FAULT, HELD_BACK)
    for result in (CLOSED, FAULT, CLOSED, FAULT):
        clock.pass_by(10)
        assert await deliver(queue, result, HELD_BACK) == ["left1", "left2"]
    assert await deferred(publisher) == [("left", 5, 3, True), ("left", 0, 0, False)]
    clock.pass_by(1000)
    await bake(publisher, "left3", "right1")
    assert await deliver(queue) == ["right1"]
    assert await queue.take(100) is None
    assert queue.next_due is None


async def test_a_batch_has_room_for_what_one_call_may_carry(publisher: Database, queue: Queue) -> None:
    """It ends with the event that fills it."""
    async with publisher.begin() as tx:
        for number in range(3):
            await publish(tx, Baked(oven="left", number=number, crumbs=b"x" * 600_000))
    assert await deliver(queue) == ["left0", "left1"]
    assert await deliver(queue) == ["left2"]


async def test_the_cursor_never_goes_back(publisher: Database, queue: Queue) -> None:
    """A relay that was thought dead may be late with what it has to say."""
    await bake(publisher, "left1", "left2")
    late = await queue.take(1)
    assert late is not None
    await deliver(queue)
    await queue.settle(late, [APPLIED])
    assert await queue.take(100) is None


async def test_the_outbox_keeps_what_somebody_has_still_to_be_told(publisher: Database, clock: Any) -> None:
    """Behind every cursor and deferred for nobody: then it goes."""
    shelf = Queue(publisher, "shelf", ["probe.v1.Baked"], retries=RETRIES, now=clock)
    bell = Queue(publisher, "bell", ["probe.v1.Rung"], retries=RETRIES, now=clock)

    async def left() -> list[str]:
        await trim(publisher, ["shelf", "bell"])
        async with publisher.read() as tx:
            return [f"{row.key}" for row in await tx.execute(select(OUTBOX.c.key).order_by(OUTBOX.c.sequence))]

    await bake(publisher, "left1", "right1")
    assert await left() == ["left", "right"]
    await deliver(shelf, FAULT, APPLIED)
    assert await left() == ["left", "right"]
    await deliver(bell)
    assert await left() == ["left"]
    clock.pass_by(1)
    await deliver(shelf)
    assert await left() == []


async def test_without_subscribers_nothing_is_kept(publisher: Database) -> None:
    """Nobody waits for it."""
    await bake(publisher, "left1")
    await trim(publisher, [])
    async with publisher.read() as tx:
        assert (await tx.execute(select(OUTBOX))).all() == []
