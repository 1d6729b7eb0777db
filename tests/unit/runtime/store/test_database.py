import asyncio
import random
import secrets
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import grpc
import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from protomesh.runtime.store import Contended, Database
from tests.unit.runtime.store.writers import Writer

AnotherWriter = Callable[[], AbstractAsyncContextManager[Writer]]


async def insert(db: Database, number: int) -> None:
    """Writes one number, in a transaction of its own."""
    async with db.begin() as tx:
        await tx.execute(text("INSERT INTO things VALUES (:number)"), {"number": number})


async def numbers(db: Database) -> list[int]:
    """What is kept."""
    async with db.read() as tx:
        return list(await tx.scalars(text("SELECT number FROM things ORDER BY number")))


async def test_a_block_that_ends_well_is_kept(db: Database) -> None:
    """Nothing but the end of the block commits."""
    await insert(db, 1)
    assert await numbers(db) == [1]


async def test_a_block_that_raises_leaves_nothing(db: Database) -> None:
    """All of a transaction or none of it."""

    async def fail() -> None:
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO things VALUES (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await numbers(db) == []


async def test_a_reader_can_not_write(db: Database) -> None:
    """A write without its turn would fail at random under load; it fails always."""
    with pytest.raises(DBAPIError, match=r"read-?only"):
        async with db.read() as tx:
            await tx.execute(text("INSERT INTO things VALUES (1)"))


async def test_a_reader_sees_one_moment(db: Database) -> None:
    """What is written meanwhile shows in the next transaction."""
    async with db.read() as tx:
        before = list(await tx.scalars(text("SELECT number FROM things")))
        await insert(db, 1)
        assert list(await tx.scalars(text("SELECT number FROM things"))) == before
    assert await numbers(db) == [1]


async def test_a_read_before_a_write_is_safe_from_other_writers(db: Database, url: URL) -> None:
    """Fifty read-then-write transactions at once, over two Database instances, lose no update."""
    await insert(db, 0)

    async def increment(database: Database) -> None:
        async with database.begin() as tx:
            number = (await tx.execute(text("SELECT number FROM things"))).scalar_one()
            await tx.execute(text("UPDATE things SET number = :number"), {"number": number + 1})

    async with Database(url, patience=timedelta(seconds=60)) as other:
        await asyncio.gather(*(increment(database) for _ in range(25) for database in (db, other)))
    assert await numbers(db) == [50]


async def test_a_writer_waits_no_longer_than_its_caller(url: URL, db: Database, another_writer: AnotherWriter) -> None:
    """Another process holds the lock: ABORTED by the deadline, long before patience ends."""
    loop = asyncio.get_running_loop()
    async with Database(url, remaining=lambda: 0.5, patience=timedelta(minutes=1)) as impatient, another_writer():
        began = loop.time()
        with pytest.raises(Contended) as contended:
            await insert(impatient, 1)
        waited = loop.time() - began
    assert contended.value.code is grpc.StatusCode.ABORTED
    assert 0.3 < waited < 10
    assert await numbers(db) == []


async def test_a_writer_of_the_same_process_waits_no_longer_either(url: URL) -> None:
    """The turn within one process has the same bound."""
    async with Database(url, remaining=lambda: 0.3) as impatient, impatient.begin():
        with pytest.raises(Contended):
            await insert(impatient, 1)


async def test_no_time_left_is_one_try(url: URL, db: Database, another_writer: AnotherWriter) -> None:
    """A late caller gets in if nobody is there, and out at once if somebody is."""
    async with Database(url, remaining=lambda: 0.0) as late:
        await insert(late, 1)
        async with another_writer():
            with pytest.raises(Contended):
                await insert(late, 2)
    assert await numbers(db) == [1]


async def test_a_writer_goes_on_as_soon_as_the_other_is_done(db: Database, another_writer: AnotherWriter) -> None:
    """Without a deadline it waits, and the other's commit lets it in."""
    async with another_writer() as other:
        waiting = asyncio.create_task(insert(db, 2))
        await other.execute("INSERT INTO things VALUES (1)")
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await other.execute("COMMIT")
        await waiting
    assert await numbers(db) == [1, 2]


async def test_a_cancelled_wait_takes_no_turn(db: Database, another_writer: AnotherWriter) -> None:
    """Whoever gives up while waiting leaves the database usable for the next."""
    async with another_writer():
        waiting = asyncio.create_task(insert(db, 1))
        await asyncio.wait([waiting], timeout=0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await insert(db, 2)
    assert await numbers(db) == [2]


async def test_a_cancelled_transaction_is_undone(db: Database) -> None:
    """A handler whose caller hung up in the middle leaves nothing, and no lock."""
    inside = asyncio.Event()

    async def hang() -> None:
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO things VALUES (1)"))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await insert(db, 2)
    assert await numbers(db) == [2]


async def test_cancellation_at_any_moment_leaves_no_lock_behind(db: Database) -> None:
    """Deadlines pass and callers hang up in the middle of BEGIN, of a statement, of COMMIT.

    Whoever is not cancelled goes through; and what was told to be kept is kept.
    """
    await insert(db, 0)
    kept = 0

    async def increment() -> None:
        nonlocal kept
        async with db.begin() as tx:
            number = (await tx.execute(text("SELECT number FROM things"))).scalar_one()
            await tx.execute(text("UPDATE things SET number = :number"), {"number": number + 1})
        kept += 1

    moments = random.Random(7)
    loop = asyncio.get_running_loop()
    cancelled = 0
    for _ in range(60):
        tasks = [asyncio.create_task(increment()), asyncio.create_task(numbers(db)), asyncio.create_task(increment())]
        for task in tasks[:2]:
            loop.call_later(moments.uniform(0, 0.008), task.cancel)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert {type(failure) for failure in failures} <= {asyncio.CancelledError}
        cancelled += len(failures)
    assert cancelled > 0
    [number] = await numbers(db)
    assert kept <= number <= kept + cancelled  # one that was cancelled in its COMMIT may have been kept


async def test_many_readers_share_a_few_connections(db: Database) -> None:
    """More readers than connections wait for each other and all get their answer."""
    await insert(db, 7)
    assert await asyncio.gather(*(numbers(db) for _ in range(40))) == [[7]] * 40


@pytest.mark.parametrize("statement", ["INSERT INTO secrets VALUES (:text)", "INSERT INTO nowhere VALUES (:text)"])
async def test_an_error_does_not_say_what_should_have_been_written(db: Database, statement: str) -> None:
    """It ends in a log, with its causes: neither the values of the statement nor the row that was refused."""
    async with db.begin() as tx:
        await tx.execute(text("CREATE TABLE secrets (text VARCHAR(9) CONSTRAINT short CHECK (length(text) < 5))"))
    secret = secrets.token_hex(4)
    with pytest.raises(DBAPIError) as refused:
        async with db.begin() as tx:
            await tx.execute(text(statement), {"text": secret})
    told = "".join(traceback.format_exception(refused.value))
    assert "short" in told or "nowhere" in told
    assert secret not in told


async def test_a_commit_that_is_refused_leaves_nothing_behind(db: Database) -> None:
    """SQLite keeps the transaction open when a deferred constraint fails: the next writer must not find it."""
    async with db.begin() as tx:
        await tx.execute(text("CREATE TABLE owners (name TEXT PRIMARY KEY)"))
        await tx.execute(text("CREATE TABLE pets (owner TEXT REFERENCES owners DEFERRABLE INITIALLY DEFERRED)"))

    async def orphan() -> None:
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO pets VALUES ('nobody')"))

    with pytest.raises(IntegrityError):
        await orphan()
    async with db.begin() as tx:
        await tx.execute(text("INSERT INTO things VALUES (1)"))
        assert await tx.scalar(text("SELECT count(*) FROM pets")) == 0
