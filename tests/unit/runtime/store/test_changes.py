import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import URL, text

from protomesh.runtime.store import Changes, Database, changes
from protomesh.testing.database import Databases

SOON = timedelta(seconds=10).total_seconds()


async def insert(db: Database, number: int) -> None:
    """Writes one number, in a transaction of its own."""
    async with db.begin() as tx:
        await tx.execute(text("INSERT INTO things VALUES (:number)"), {"number": number})


async def following(db: Database) -> Changes:
    """Changes after the first, which comes at once."""
    feed = changes(db)
    async with asyncio.timeout(SOON):
        await anext(feed)
    return feed


async def test_the_first_comes_at_once(db: Database) -> None:
    """A loop reads what is there without waiting for somebody to write."""
    await following(db)


async def test_a_change_of_the_same_database_instance_is_told(db: Database) -> None:
    """Who writes and who watches may be two handlers of one worker."""
    feed = await following(db)
    await insert(db, 1)
    async with asyncio.timeout(SOON):
        await anext(feed)


async def test_a_change_of_another_process_is_told(db: Database, database: Databases) -> None:
    """Another worker, or a person with a tool."""
    feed = await following(db)
    database.query(db.url, "INSERT INTO things VALUES (1)")
    async with asyncio.timeout(SOON):
        await anext(feed)


async def test_a_change_between_two_waits_is_not_lost(db: Database) -> None:
    """Nobody asked the database while the loop's body ran; the next wait finds out."""
    feed = await following(db)
    await insert(db, 1)
    async with asyncio.timeout(SOON):
        await anext(feed)
    await insert(db, 2)
    async with asyncio.timeout(SOON):
        await anext(feed)


async def test_nothing_is_told_while_nothing_changes(db: Database) -> None:
    """Reads are no changes."""
    feed = await following(db)
    waiting = asyncio.ensure_future(anext(feed))
    async with db.read() as tx:
        await tx.execute(text("SELECT number FROM things"))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    waiting.cancel()


async def test_every_watcher_is_told_and_one_asks(db: Database) -> None:
    """A hundred streams cost the database one question at a time."""
    feeds = [await following(db) for _ in range(100)]
    waiting = [asyncio.ensure_future(anext(feed)) for feed in feeds]
    await insert(db, 1)
    async with asyncio.timeout(SOON):
        await asyncio.gather(*waiting)


async def test_closing_the_database_ends_who_waits(url: URL) -> None:
    """An error, and not a wait for ever."""
    db = Database(url)
    feed = await following(db)
    waiting = asyncio.ensure_future(anext(feed))
    await asyncio.wait([waiting], timeout=0.1)
    await db.close()
    with pytest.raises(RuntimeError, match="closed"):
        await waiting
