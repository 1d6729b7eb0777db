import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2
from probe.v1 import Baked, Rung

from protomesh.events.v1.event_consumer_service_pb2 import Result
from protomesh.runtime.events import Retries, publish
from protomesh.runtime.events.dead_letters import UnknownDeadLetter, replay, skip, stuck
from protomesh.runtime.events.queue import Queue
from protomesh.runtime.store import Database
from protomesh.runtime.store.url import sqlite_url

APPLIED = Result(outcome=Result.OUTCOME_APPLIED)
FAULT = Result(outcome=Result.OUTCOME_FAILED, code=code_pb2.NOT_FOUND, message="no such oven")
HELD_BACK = Result(outcome=Result.OUTCOME_HELD_BACK)


def queue(db: Database, clock: Any, subscriber: str, *, failures: int = 1) -> Queue:
    """What a subscriber of everything has still to be told."""
    events = ["probe.v1.Baked", "probe.v1.Rung"]
    return Queue(db, subscriber, events, retries=Retries(failures=failures), now=clock)


async def settle(queue: Queue, *results: Result) -> int:
    """Takes a batch and settles it; how many events were in it."""
    batch = await queue.take(100)
    if batch is None:
        return 0
    await queue.settle(batch, results or [APPLIED] * len(batch.events))
    return len(batch.events)


async def publish_all(db: Database) -> list[str]:
    """Two loaves of one oven and a ring; their ids."""
    async with db.begin() as tx:
        return [
            await publish(tx, event) for event in (Baked(oven="left", number=1), Baked(oven="left"), Rung(who="me"))
        ]


async def test_what_is_stuck_is_told_with_its_reason(publisher: Database, clock: Any) -> None:
    """Dead letters, and what is still tried; not what merely waits behind them."""
    first, _, ring = await publish_all(publisher)
    await settle(queue(publisher, clock, "shelf"), FAULT, HELD_BACK, APPLIED)
    await settle(queue(publisher, clock, "bell", failures=2), APPLIED, APPLIED, FAULT)
    dead, tried = await stuck(publisher)
    assert (dead.event_id, dead.event_type, dead.key, dead.subscriber) == (first, "probe.v1.Baked", "left", "shelf")
    assert (dead.dead, dead.tries, dead.problem, dead.waiting) == (True, 1, "NOT_FOUND: no such oven", 1)
    assert (tried.event_id, tried.key, tried.subscriber, tried.dead, tried.waiting) == (ring, "", "bell", False, 0)


async def test_a_replayed_dead_letter_is_as_good_as_new(publisher: Database, clock: Any) -> None:
    """It and what waits behind it come again; if it fails again, it has all its tries before it."""
    first, _, _ = await publish_all(publisher)
    shelf = queue(publisher, clock, "shelf")
    await settle(shelf, FAULT, HELD_BACK, APPLIED)
    clock.time = clock.time.replace(year=2100)
    assert await settle(shelf) == 0
    assert await replay(publisher, [first]) == 1
    assert await stuck(publisher) == []
    assert await settle(shelf) == 2
    assert await settle(shelf) == 0


async def test_a_skipped_dead_letter_lets_its_key_go_on(publisher: Database, clock: Any) -> None:
    """For every subscriber that could not handle it."""
    first, _, _ = await publish_all(publisher)
    shelf, bell = queue(publisher, clock, "shelf"), queue(publisher, clock, "bell")
    await settle(shelf, FAULT, HELD_BACK, APPLIED)
    await settle(bell, FAULT, HELD_BACK, APPLIED)
    assert await skip(publisher, [first]) == 2
    assert await settle(shelf) == 1
    assert await settle(bell) == 1
    assert await stuck(publisher) == []


async def test_what_is_no_dead_letter_is_left_alone(publisher: Database, clock: Any) -> None:
    """An event that is still tried, or that nobody knows; then the others of the call stay as they are too."""
    first, _, ring = await publish_all(publisher)
    await settle(queue(publisher, clock, "shelf", failures=2), APPLIED, APPLIED, FAULT)
    await settle(queue(publisher, clock, "bell"), FAULT, HELD_BACK, APPLIED)
    for change in (replay, skip):
        with pytest.raises(UnknownDeadLetter, match=f"{ring}: no dead letter"):
            await change(publisher, [first, ring])
    assert [event.dead for event in await stuck(publisher)] == [True, False]
    assert await replay(publisher) == 1


@pytest.fixture
def command(publisher: Database) -> Callable[..., Any]:
    """Runs `python -m protomesh.runtime.events` on the publisher's database, or on another."""

    def run(*arguments: str, **variables: str) -> tuple[int, str]:
        url = publisher.url.render_as_string(hide_password=False)
        env = {"PATH": os.environ["PATH"], "PROTOMESH_DATABASE_URL": url, **variables}
        done = subprocess.run(
            [sys.executable, "-m", "protomesh.runtime.events", *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


async def test_a_person_sees_and_mends_what_is_stuck(
    publisher: Database, clock: Any, command: Callable[..., Any]
) -> None:
    """One event is a line with its id, two lines about what is the matter."""
    assert command("list") == (0, "nothing is stuck\n")
    first, _, ring = await publish_all(publisher)
    await settle(queue(publisher, clock, "shelf"), FAULT, HELD_BACK, APPLIED)
    await settle(queue(publisher, clock, "bell", failures=2), APPLIED, APPLIED, FAULT)
    listed = (
        f"{first}  probe.v1.Baked key left for shelf\n"
        "  dead letter after 1 try, 1 waiting behind it\n"
        "  NOT_FOUND: no such oven\n"
        f"{ring}  probe.v1.Rung for bell\n"
        "  tried once, again at 2026-11-02 09:30:00 UTC\n"
        "  NOT_FOUND: no such oven\n"
    )
    assert command("list") == (0, listed)
    assert command("replay") == (0, "1 dead letter is tried again\n")
    assert command("replay") == (0, "0 dead letters are tried again\n")
    assert command("skip", first) == (2, f"{first}: no dead letter of this service has this id\n")


async def test_a_person_is_told_where_there_is_nothing_to_see(tmp_path: Path, command: Callable[..., Any]) -> None:
    """A service that never ran, and a file that is no database of ours; no file is made by asking."""
    nowhere = tmp_path / "nowhere.sqlite3"
    code, told = command("list", PROTOMESH_DATABASE_URL=str(sqlite_url(nowhere)))
    assert (code, told) == (2, "there is no database yet: the service has never run\n")
    assert not nowhere.exists()
    nowhere.touch()
    code, told = command("list", PROTOMESH_DATABASE_URL=str(sqlite_url(nowhere)))
    assert code == 2
    assert re.fullmatch(r"the database has no events, or can't be read: no such table: \w+\n", told)
