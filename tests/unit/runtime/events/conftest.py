"""A publisher's and a consumer's database, and a clock that stands still until it is moved."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from probe.v1 import Baked
from sqlalchemy import URL

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events.transport import Transport, Undelivered
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases

OK = Result(outcome=Result.OUTCOME_APPLIED)


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        """Moves on."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def open_database(database: Databases) -> Callable[[str], Any]:
    """Opens a database of the test by its name; the same one again if it is asked twice, as another worker would."""
    urls: dict[str, URL] = {}

    async def open_(name: str) -> Database:
        if name not in urls:
            urls[name] = database.url("protomesh.runtime.store")
        return await database.open(urls[name])

    return open_


@pytest.fixture
async def publisher(open_database: Callable[[str], Any]) -> Database:
    """The database of the service that publishes."""
    opened: Database = await open_database("publisher")
    return opened


@pytest.fixture
async def subscriber(open_database: Callable[[str], Any]) -> Database:
    """The database of the service that consumes."""
    opened: Database = await open_database("subscriber")
    return opened


class Doorstep(Transport):
    """A transport that keeps what is delivered, and answers what the test says."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, int]] = []
        self.batches: list[int] = []
        self.refuse: Callable[[Any], Result | None] = lambda _baked: None
        self.outage: Undelivered | None = None

    async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
        """Answers for each event; holds back what is behind one that fails, as the contract asks."""
        del peer
        if self.outage is not None:
            raise self.outage
        self.batches.append(len(events))
        results: list[Result] = []
        failed: set[str] = set()
        for event in events:
            baked = Baked.FromString(event.content.value)
            if event.key in failed:
                results.append(Result(outcome=Result.OUTCOME_HELD_BACK))
                continue
            refusal = self.refuse(baked)
            if refusal is None:
                self.delivered.append((baked.oven, baked.number))
            else:
                failed.add(event.key)
            results.append(refusal or OK)
        return results


@pytest.fixture
def doorstep() -> Doorstep:
    """A transport."""
    return Doorstep()
