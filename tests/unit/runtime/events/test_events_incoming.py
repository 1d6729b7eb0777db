import asyncio
import uuid
from datetime import timedelta
from typing import Any

from google.rpc import code_pb2
from probe.v1 import Baked, Rung
from sqlalchemy import func, select
from structlog.testing import capture_logs

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events import Retries
from protomesh.runtime.events.dead_letters import replay, skip, stuck
from protomesh.runtime.events.incoming import keep, wait_room
from protomesh.runtime.events.log import INCOMING_LOG
from protomesh.runtime.events.queue import Queue
from protomesh.runtime.events.tables import INCOMING
from protomesh.runtime.events.trim import trim
from protomesh.runtime.store import Database

APPLIED = Result(outcome=Result.OUTCOME_APPLIED)
HELD_BACK = Result(outcome=Result.OUTCOME_HELD_BACK)
FAULT = Result(outcome=Result.OUTCOME_FAILED, code=code_pb2.INTERNAL, message="stale")
RETRIES = Retries(failures=1, first=timedelta(seconds=1))
WANTED = {"probe.v1.Baked"}


def loaf(oven: str, number: int) -> Event:
    """An event as a publisher puts it into its stream."""
    event = Event(event_id=str(uuid.uuid4()), key=oven, metadata={"x-request-id": "r"})
    event.content.Pack(Baked(oven=oven, number=number))
    event.create_time.GetCurrentTime()
    return event


def queue(db: Database, publisher: str, clock: Any) -> Queue:
    """What has come from a publisher."""
    return Queue(db, publisher, WANTED, retries=RETRIES, now=clock, log=INCOMING_LOG)


async def bring(db: Database, publisher: str, *events: Event) -> None:
    """A broker brings events."""
    await keep(db, publisher, [event.SerializeToString() for event in events], WANTED)


async def count(db: Database) -> int:
    """How many events are written down."""
    async with db.read() as tx:
        return int(await tx.scalar(select(func.count()).select_from(INCOMING)) or 0)


async def test_what_is_brought_is_delivered_as_it_was_published(subscriber: Database, clock: Any) -> None:
    """In order, with all that travels along; each publisher's by itself."""
    first, second, other = loaf("left", 1), loaf("left", 2), loaf("left", 1)
    await bring(subscriber, "bakery", first, second)
    await bring(subscriber, "kiosk", other)
    batch = await queue(subscriber, "bakery", clock).take(10)
    assert batch is not None
    assert batch.events == [first, second]
    batch = await queue(subscriber, "kiosk", clock).take(10)
    assert batch is not None
    assert batch.events == [other]


async def test_what_is_brought_again_changes_nothing(subscriber: Database, clock: Any) -> None:
    """Whether it waits, or was applied long ago."""
    first, second = loaf("left", 1), loaf("left", 2)
    await bring(subscriber, "bakery", first, first)
    await bring(subscriber, "bakery", first, second)
    assert await count(subscriber) == 2
    bakery = queue(subscriber, "bakery", clock)
    batch = await bakery.take(10)
    assert batch is not None
    assert batch.events == [first, second]


async def test_what_nobody_wants_is_dropped(subscriber: Database) -> None:
    """So is what is no event at all, and that is told."""
    ring = Event(event_id=str(uuid.uuid4()))
    ring.content.Pack(Rung(who="me"))
    with capture_logs() as logs:
        await keep(subscriber, "bakery", [ring.SerializeToString(), b"\xff", b""], WANTED)
    assert await count(subscriber) == 0
    assert [line["event"] for line in logs] == [
        "what a broker has in an event's place is none; it is dropped",
        "what a broker has in an event's place is none; it is dropped",
    ]


async def test_what_is_handled_is_trimmed_for_each_publisher(subscriber: Database, clock: Any) -> None:
    """One whose events wait holds up no other's; what is deferred stays."""
    await bring(subscriber, "bakery", loaf("left", 1), loaf("right", 1))
    await bring(subscriber, "kiosk", loaf("left", 1))
    bakery = queue(subscriber, "bakery", clock)
    batch = await bakery.take(10)
    assert batch is not None
    await bakery.settle(batch, [FAULT, APPLIED])
    await trim(subscriber, ["bakery", "kiosk"], INCOMING_LOG)
    assert await count(subscriber) == 2


async def test_a_dead_letter_of_a_broker_is_seen_replayed_and_skipped(subscriber: Database, clock: Any) -> None:
    """Where it could not be handled. One that is given up stays so, if the broker brings it once more."""
    first, second = loaf("left", 1), loaf("left", 2)
    await bring(subscriber, "bakery", first, second)
    bakery = queue(subscriber, "bakery", clock)
    batch = await bakery.take(10)
    assert batch is not None
    await bakery.settle(batch, [FAULT, HELD_BACK])
    (letter,) = await stuck(subscriber)
    assert (letter.event_id, letter.publisher, letter.subscriber, letter.waiting) == (first.event_id, "bakery", "", 1)

    assert await replay(subscriber) == 1
    clock.time = clock.time.replace(year=2100)
    batch = await bakery.take(10)
    assert batch is not None
    assert batch.events == [first, second]
    await bakery.settle(batch, [FAULT, HELD_BACK])

    assert await skip(subscriber, [first.event_id]) == 1
    batch = await bakery.take(10)
    assert batch is not None
    assert batch.events == [second]
    await bakery.settle(batch, [APPLIED])
    await trim(subscriber, ["bakery"], INCOMING_LOG)
    await bring(subscriber, "bakery", first)
    assert await count(subscriber) == 0


async def test_what_is_not_handled_yet_makes_more_wait_at_the_broker(subscriber: Database, clock: Any) -> None:
    """Until it is; what is deferred takes no room, and other publishers have their own."""
    await bring(subscriber, "bakery", loaf("left", 1), loaf("right", 1))
    await wait_room(subscriber, "kiosk", room=2)
    waiting = asyncio.create_task(wait_room(subscriber, "bakery", room=2))
    bakery = queue(subscriber, "bakery", clock)
    batch = await bakery.take(1)
    assert batch is not None
    assert not waiting.done()
    await bakery.settle(batch, [FAULT])
    async with asyncio.timeout(20):
        await waiting
