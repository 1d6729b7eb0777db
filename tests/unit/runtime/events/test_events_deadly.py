import asyncio
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from google.rpc import code_pb2
from probe.v1 import Baked

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events import Delivery, on
from protomesh.runtime.events.consumers import Consumers
from protomesh.runtime.events.handling import Handling
from protomesh.runtime.events.inbox import Inbox
from protomesh.runtime.store import Database

APPLIED, FAILED, HELD_BACK = Result.OUTCOME_APPLIED, Result.OUTCOME_FAILED, Result.OUTCOME_HELD_BACK

# Begins with one event, ends it, begins with another, and says so.
WORKER = """
import sys, time
from pathlib import Path
from protomesh.runtime.events.handling import Handling
handling = Handling(Path(sys.argv[1]))
with handling.of("before"):
    pass
with handling.of(sys.argv[2]):
    print(flush=True)
    time.sleep(60)
"""


class Shelf:
    """Takes every loaf."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    @on(Baked)
    async def take(self, event: Baked, delivery: Delivery) -> None:
        """Notes it."""
        del delivery
        self.taken.append((event.oven, event.number))


def loaf(oven: str, number: int) -> Event:
    """As a publisher delivers it."""
    event = Event(event_id=str(uuid.uuid4()), key=oven)
    event.content.Pack(Baked(oven=oven, number=number))
    return event


async def worker(directory: Path, event_id: str) -> asyncio.subprocess.Process:
    """A process that handles an event."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, directory, event_id, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def die(directory: Path, event_id: str) -> None:
    """A process is killed in the middle of an event."""
    process = await worker(directory, event_id)
    process.kill()
    await process.wait()


async def test_what_a_dead_worker_was_handling_is_known(tmp_path: Path) -> None:
    """Once. What a living one is handling is nobody else's business."""
    alive = await worker(tmp_path, "alive")
    await die(tmp_path, "dead")
    handling = Handling(tmp_path)
    with handling.of("mine"):
        for left in handling.left_behind():
            with left:
                assert left.event_id == "dead"
                assert list(Handling(tmp_path).left_behind()) == [], "another worker looks at the same time"
        assert list(handling.left_behind()) == []
    alive.kill()
    await alive.wait()
    assert [left.event_id for left in handling.left_behind()] == ["alive"]


async def test_what_could_not_be_counted_is_kept(tmp_path: Path) -> None:
    """The database was not there: somebody counts it later."""
    await die(tmp_path, "dead")
    handling = Handling(tmp_path)
    for left in handling.left_behind():
        try:
            with left:
                raise ConnectionError  # noqa: TRY301 - the database's, in the middle of it
        except ConnectionError:
            pass
    assert [left.event_id for left in handling.left_behind()] == ["dead"]


async def test_an_event_fails_that_three_workers_did_not_survive(
    subscriber: Database, clock: Any, tmp_path: Path
) -> None:
    """Without being tried, for five minutes; then it has its chance. Its key waits, and others go on."""
    shelf = Shelf()
    inbox = Inbox(subscriber, Consumers([shelf]), handling=Handling(tmp_path), now=clock)
    deadly, behind, other = loaf("left", 1), loaf("left", 2), loaf("right", 1)
    for _ in range(3):
        await die(tmp_path, deadly.event_id)
    results = await inbox.apply([deadly, behind, other], "bakery")
    assert [result.outcome for result in results] == [FAILED, HELD_BACK, APPLIED]
    assert results[0].code == code_pb2.ABORTED
    assert results[0].message == "3 workers ended while they handled it; not tried before 09:35:00 UTC"
    assert shelf.taken == [("right", 1)]
    clock.pass_by(301)
    results = await inbox.apply([deadly, behind], "bakery")
    assert [result.outcome for result in results] == [APPLIED, APPLIED]


async def test_two_deaths_may_be_an_accident(subscriber: Database, clock: Any, tmp_path: Path) -> None:
    """And so may any number at different events."""
    shelf = Shelf()
    inbox = Inbox(subscriber, Consumers([shelf]), handling=Handling(tmp_path), now=clock)
    first, second = loaf("left", 1), loaf("left", 2)
    for event in (first, second, first, second):
        await die(tmp_path, event.event_id)
    results = await inbox.apply([first, second], "bakery")
    assert [result.outcome for result in results] == [APPLIED, APPLIED]
    assert shelf.taken == [("left", 1), ("left", 2)]
