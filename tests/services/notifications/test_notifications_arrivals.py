import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from protomesh.runtime.store import Contended, Database, Transaction, Unreachable
from protomesh.testing.database import Databases
from services.notifications import store
from services.notifications.arrivals import Arrivals, Doorbell
from services.notifications.domain import CancelReason, Mailbox, Notification, order_cancelled

SOON = timedelta(seconds=20).total_seconds()


@pytest.fixture
async def db(database: Databases) -> Database:
    """The service's database, with no mailbox in it."""
    return await database("services.notifications")


@pytest.fixture
async def put(db: Database, database: Databases, now: Callable[[], datetime]) -> Callable[[str], Any]:
    """Puts a message into somebody's mailbox, as another worker would."""
    worker = await database.open(db.url)

    async def put(subject: str) -> None:
        async with worker.begin() as tx:
            mailbox = await store.mailbox_of(tx, subject) or Mailbox(subject=subject, mailbox_id=f"of {subject}")
            await store.put_mailbox(tx, mailbox.next())
            message = order_cancelled("order-1", CancelReason.CUSTOMER)
            notification = Notification(number=mailbox.last_number + 1, message=message, create_time=now())
            await store.add_notification(tx, subject, notification)

    return put


async def rung(bell: Doorbell) -> None:
    """Returns when the bell rings."""
    async with asyncio.timeout(SOON):
        await anext(bell)


async def quiet(bell: Doorbell) -> bool:
    """Whether the bell does not ring for a while."""
    ringing = asyncio.ensure_future(anext(bell))
    done, _ = await asyncio.wait([ringing], timeout=0.3)
    ringing.cancel()
    return not done


async def test_a_bell_rings_at_once_and_when_something_comes(db: Database, put: Callable[[str], Any]) -> None:
    """Into the mailbox that it is at, and no other one."""
    arrivals = Arrivals(db)
    async with arrivals.at("alice") as alice, arrivals.at("bob") as bob:
        await rung(alice)
        await rung(bob)
        await put("alice")
        await rung(alice)
        assert await quiet(bob)
        await put("bob")
        await rung(bob)
        assert await quiet(alice)


async def test_every_bell_of_one_mailbox_rings(db: Database, put: Callable[[str], Any]) -> None:
    """A user may have two windows open; the one that comes later hears what comes after it."""
    arrivals = Arrivals(db)
    await put("alice")
    async with arrivals.at("alice") as first:
        await rung(first)
        async with arrivals.at("alice") as second:
            await rung(second)
            await put("alice")
            await rung(first)
            await rung(second)
        await put("alice")
        await rung(first)


async def test_nothing_is_watched_when_nobody_listens(db: Database) -> None:
    """Whoever comes next begins again, also while the last one leaves."""
    arrivals = Arrivals(db)
    for _ in range(2):
        async with arrivals.at("alice") as alice:
            await rung(alice)
            assert arrivals.watching
        assert not arrivals.watching

    async def visit() -> None:
        async with arrivals.at("alice") as bell:
            await rung(bell)

    await asyncio.gather(*(visit() for _ in range(20)))
    assert not arrivals.watching


async def test_what_comes_before_a_mailbox_is_looked_into_is_not_missed(
    db: Database, put: Callable[[str], Any]
) -> None:
    """Listeners come one after the other while messages do: each sees the last one, in whatever order it went."""
    arrivals = Arrivals(db)
    messages = 10

    async def listen(subject: str) -> None:
        async with asyncio.timeout(SOON), arrivals.at(subject) as bell:
            async for _ in bell:
                async with db.read() as tx:
                    mailbox = await store.mailbox_of(tx, subject)
                if mailbox is not None and mailbox.last_number == messages:
                    return

    listening: list[asyncio.Future[None]] = []
    for _ in range(messages):
        for subject in ("alice", "bob", "carol"):
            listening.append(asyncio.ensure_future(listen(subject)))
            await put(subject)
    await asyncio.gather(*listening)
    assert not arrivals.watching


async def test_a_database_that_is_gone_ends_every_listener() -> None:
    """They come back to another worker or later; who comes later is not told of the earlier failure."""

    class Gone:
        """A database that answers as the test says."""

        def __init__(self) -> None:
            self.asked = 0
            self.fail = asyncio.Event()

        @property
        def feed(self) -> "Gone":
            """What `changes` asks."""
            return self

        async def wait_newer(self, seen: int | None) -> int:
            """Never anything new, and then the end."""
            del seen
            self.asked += 1
            await self.fail.wait()
            raise Unreachable

    gone: Any = Gone()
    arrivals = Arrivals(gone)
    async with arrivals.at("alice") as alice, arrivals.at("bob") as bob:
        for bell in (alice, bob):
            await rung(bell)
        gone.fail.set()
        for bell in (alice, bob):
            with pytest.raises(Unreachable):
                await rung(bell)
        gone.fail.clear()
        async with arrivals.at("carol") as carol:
            await rung(carol)
            assert await quiet(carol)
    assert gone.asked == 2
    assert not arrivals.watching


async def test_a_busy_moment_ends_nobody(
    db: Database, put: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens hears of it once the database is free."""
    look = store.last_numbers
    busy = 2

    async def contended(tx: Transaction, subjects: Sequence[str]) -> dict[str, int]:
        nonlocal busy
        if busy:
            busy -= 1
            raise Contended
        return await look(tx, subjects)

    await put("alice")
    monkeypatch.setattr(store, "last_numbers", contended)
    async with Arrivals(db).at("alice") as alice:
        await rung(alice)
        await rung(alice)  # by a look that went well
    assert not busy
