import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from google.rpc import code_pb2
from probe.v1 import Baked
from sqlalchemy import func, select
from structlog.testing import capture_logs

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events import publish
from protomesh.runtime.events.relay import Relay
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.events.tables import DEFERRED, OUTBOX
from protomesh.runtime.events.transport import Transport, Undelivered
from protomesh.runtime.store import Database
from protomesh.runtime.store.errors import Unreachable

RETRIES = Retries(failures=3, first=timedelta(milliseconds=5), longest=timedelta(milliseconds=20))
TO_SHELF = {"probe.v1.Baked": ["shelf"]}


async def bake(db: Database, oven: str, *numbers: int) -> None:
    """Publishes loaves in one transaction."""
    async with db.begin() as tx:
        for number in numbers:
            await publish(tx, Baked(oven=oven, number=number))


async def until(condition: Callable[[], Any]) -> None:
    """Waits for something; a test fails if it does not come."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def count(db: Database, table: Any, *conditions: Any) -> int:
    """Rows of a table."""
    async with db.read() as tx:
        return int(await tx.scalar(select(func.count()).select_from(table).where(*conditions)) or 0)


@asynccontextmanager
async def relaying(
    db: Database, transport: Transport, subscribers: Mapping[str, Sequence[str]] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Runs a relay for a block."""
    relay = Relay(db, transport, TO_SHELF if subscribers is None else subscribers, db.lease("relay"), retries=RETRIES)
    task = asyncio.create_task(relay.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_published_is_delivered(publisher: Database, doorstep: Any) -> None:
    """What was there before the relay, and what comes while it runs; then the outbox is empty."""
    await bake(publisher, "left", 1, 2)
    async with relaying(publisher, doorstep):
        await until(lambda: len(doorstep.delivered) == 2)
        await bake(publisher, "left", 3)
        await until(lambda: len(doorstep.delivered) == 3)
        async with asyncio.timeout(20):
            while await count(publisher, OUTBOX):
                await asyncio.sleep(0.01)
    assert doorstep.delivered == [("left", 1), ("left", 2), ("left", 3)]


async def test_what_another_worker_publishes_is_delivered(
    publisher: Database, open_database: Callable[[str], Any], doorstep: Any
) -> None:
    """The relay runs in one of them."""
    async with relaying(publisher, doorstep):
        await bake(await open_database("publisher"), "left", 1)
        await until(lambda: doorstep.delivered)


async def test_an_outage_makes_no_dead_letters(publisher: Database, doorstep: Any) -> None:
    """Whatever its code: nothing is said about the events. It is logged once, not at each try."""
    doorstep.outage = Undelivered("UNAVAILABLE", "connection refused")
    with capture_logs() as logs:
        async with relaying(publisher, doorstep):
            await bake(publisher, "left", 1, 2)
            tries: list[int] = []
            deliver = doorstep.deliver

            async def counted(peer: str, events: Sequence[Event]) -> Sequence[Result]:
                tries.append(len(events))
                return await deliver(peer, events)  # type: ignore[no-any-return] # the fixture's

            doorstep.deliver = counted
            await until(lambda: len(tries) > 10)
            assert await count(publisher, DEFERRED) == 0
            doorstep.outage = None
            await until(lambda: any(entry["log_level"] == "info" for entry in logs))
    events = [entry["event"] for entry in logs]
    assert events.count("events can't be delivered; they wait") == 1
    assert events.count("events are delivered again") == 1
    assert doorstep.delivered == [("left", 1), ("left", 2)]


async def test_a_batch_that_is_late_gets_smaller(publisher: Database, doorstep: Any) -> None:
    """A consumer that needs long for each event gets through with fewer."""
    sizes: list[int] = []

    class Slow(Transport):
        async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
            sizes.append(len(events))
            if len(events) > 3:
                raise Undelivered("DEADLINE_EXCEEDED", "too much")
            results: Sequence[Result] = await doorstep.deliver(peer, events)
            return results

    await bake(publisher, "left", *range(20))
    async with relaying(publisher, Slow()):
        await until(lambda: len(doorstep.delivered) == 20)
    assert doorstep.delivered == [("left", number) for number in range(20)]


async def test_a_poison_event_is_parked_with_its_key(publisher: Database, doorstep: Any) -> None:
    """After so many failures; others are delivered all the while."""
    fault = Result(outcome=Result.OUTCOME_FAILED, code=code_pb2.INTERNAL)
    doorstep.refuse = lambda baked: fault if (baked.oven, baked.number) == ("left", 1) else None
    async with relaying(publisher, doorstep):
        await bake(publisher, "left", 1, 2)
        await bake(publisher, "right", 1, 2)
        async with asyncio.timeout(20):
            while not await count(publisher, DEFERRED, DEFERRED.c.dead.is_(True)):
                await asyncio.sleep(0.01)
    assert doorstep.delivered == [("right", 1), ("right", 2)]
    assert await count(publisher, DEFERRED) == 2


async def test_subscribers_go_at_their_own_pace(publisher: Database, doorstep: Any) -> None:
    """One that does not answer holds up nobody else."""

    class Half(Transport):
        async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
            if peer == "bell":
                raise Undelivered("UNAVAILABLE", "no")
            results: Sequence[Result] = await doorstep.deliver(peer, events)
            return results

    async with relaying(publisher, Half(), {"probe.v1.Baked": ["bell", "shelf"]}):
        await bake(publisher, "left", 1)
        await until(lambda: doorstep.delivered)
    assert await count(publisher, OUTBOX) == 1, "the bell has not heard of it"


async def test_one_relay_delivers_and_another_takes_over(publisher: Database, doorstep: Any) -> None:
    """The lease is free as soon as its holder ends."""

    class Unused(Transport):
        async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
            raise AssertionError((peer, events))

    async with relaying(publisher, doorstep) as first:
        await bake(publisher, "left", 1)
        await until(lambda: doorstep.delivered)
        async with relaying(publisher, doorstep) as second, relaying(publisher, Unused()) as third:
            third.cancel()
            first.cancel()
            await asyncio.gather(first, third, return_exceptions=True)
            await bake(publisher, "left", 2)
            await until(lambda: ("left", 2) in doorstep.delivered)
            assert not second.done()


async def test_a_fault_of_the_relay_is_not_its_end(publisher: Database, doorstep: Any) -> None:
    """It is logged, and the relay goes on."""
    deliver = doorstep.deliver
    failing = [ZeroDivisionError("once")]

    async def fail(peer: str, events: Sequence[Event]) -> Sequence[Result]:
        if failing:
            raise failing.pop()
        results: Sequence[Result] = await deliver(peer, events)
        return results

    doorstep.deliver = fail
    with capture_logs() as logs:
        async with relaying(publisher, doorstep):
            await bake(publisher, "left", 1)
            await until(lambda: doorstep.delivered)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["the relay failed"]


class LostLease:
    """Is lost when the test says so, and taken again."""

    def __init__(self) -> None:
        self.taken = 0
        self.lost = asyncio.Event()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        if self.taken == 1:
            self.taken += 1
            raise Unreachable
        self.taken += 1
        self.lost.clear()
        yield

    async def wait_lost(self) -> None:
        await self.lost.wait()


async def test_a_relay_that_loses_its_lease_asks_for_it_again(publisher: Database, doorstep: Any) -> None:
    """Also when the first answer is that nobody can give it now."""
    lease = LostLease()
    relay = Relay(publisher, doorstep, TO_SHELF, lease, retries=RETRIES)
    task = asyncio.create_task(relay.run())
    await bake(publisher, "left", 1)
    await until(lambda: doorstep.delivered)
    lease.lost.set()
    await until(lambda: lease.taken == 3)
    await bake(publisher, "left", 2)
    await until(lambda: ("left", 2) in doorstep.delivered)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
