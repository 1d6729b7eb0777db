import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, text

from protomesh.runtime.store import Contended, Database, States, Transaction, Unreachable, Watch
from protomesh.testing.database import Databases

SOON = timedelta(seconds=20).total_seconds()
COUNT = text("SELECT number, count(*) AS many FROM things WHERE number IN :numbers GROUP BY number").bindparams(
    bindparam("numbers", expanding=True)
)

Put = Callable[[int], Awaitable[None]]


class Looks:
    """Reads how often each number is there, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.before: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, tx: Transaction, numbers: Collection[int]) -> dict[int, int]:
        self.asked.append(set(numbers))
        rows = (await tx.execute(COUNT, {"numbers": list(numbers)})).all()
        if self.before is not None:
            await self.before()
        return {row.number: row.many for row in rows}


@pytest.fixture
def looks() -> Looks:
    """What a watch reads with."""
    return Looks()


@pytest.fixture
async def put(db: Database, database: Databases) -> Put:
    """Puts a number into the table, as another worker would."""
    worker = await database.open(db.url)

    async def put(number: int) -> None:
        async with worker.begin() as tx:
            await tx.execute(text("INSERT INTO things VALUES (:number)"), {"number": number})

    return put


async def following(states: States[int]) -> int | None:
    """The next state."""
    async with asyncio.timeout(SOON):
        return await anext(states)


async def quiet(states: States[int]) -> bool:
    """Whether nothing is told for a while."""
    waiting = asyncio.ensure_future(anext(states))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    waiting.cancel()
    return not done


async def test_the_state_is_told_at_once_and_when_it_changes(db: Database, looks: Looks, put: Put) -> None:
    """Of the thing that is followed, and no other one; what is not there is None until it is."""
    watch = Watch(db, looks)
    async with watch.of(1) as one, watch.of(2) as two:
        assert await following(one) is None
        assert await following(two) is None
        await put(1)
        assert await following(one) == 1
        assert await quiet(two)
        await put(2)
        assert await following(two) == 1
        assert await quiet(one)


async def test_one_look_serves_every_stream(db: Database, looks: Looks) -> None:
    """A change is one query, however many follow and whatever they follow; so is it when all come at once."""
    watch = Watch(db, looks)
    ready = asyncio.Semaphore(0)

    async def follow(number: int) -> None:
        async with watch.of(number) as states:
            assert await following(states) is None
            ready.release()
            assert await following(states) == 1

    tasks = [asyncio.ensure_future(follow(number)) for number in range(10) for _ in range(20)]
    for _ in tasks:
        await asyncio.wait_for(ready.acquire(), SOON)
    assert len(looks.asked) <= 2
    looks.asked.clear()
    async with db.begin() as tx:
        for number in range(10):
            await tx.execute(text("INSERT INTO things VALUES (:number)"), {"number": number})
    await asyncio.gather(*tasks)
    assert looks.asked == [set(range(10))]
    assert not watch.watching


async def test_who_comes_learns_of_what_they_wrote_before(db: Database, looks: Looks) -> None:
    """A look that had begun before they came does not count for them."""
    watch = Watch(db, looks)
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        looking.set()
        await go_on.wait()

    async with watch.of(1) as early:
        assert await following(early) is None
        looks.before = pause
        async with watch.of(2):  # a look at it has read, and is not over
            await asyncio.wait_for(looking.wait(), SOON)
            async with db.begin() as tx:
                await tx.execute(text("INSERT INTO things VALUES (1), (2)"))
            async with watch.of(2) as late:
                looks.before = None
                go_on.set()
                assert await following(late) == 1
        assert await following(early) == 1


async def test_who_is_slow_is_told_of_the_last_state(db: Database, looks: Looks, put: Put) -> None:
    """And of nothing if that is the one they know."""
    watch = Watch(db, looks)
    async with watch.of(1) as slow, watch.of(1) as quick:
        assert await following(slow) is None
        assert await following(quick) is None
        for many in (1, 2, 3):
            await put(1)
            assert await following(quick) == many
        assert await following(slow) == 3
        await put(1)
        assert await following(quick) == 4
        async with db.begin() as tx:
            await tx.execute(text("DELETE FROM things"))
        assert await following(quick) is None
        for many in (1, 2, 3):
            await put(1)
            assert await following(quick) == many
        assert await quiet(slow)


async def test_no_last_state_is_missed_however_streams_come_and_go(db: Database, looks: Looks, put: Put) -> None:
    """They come one after the other while things change: each sees how they are in the end."""
    watch = Watch(db, looks)
    times = 10

    async def follow(number: int) -> None:
        told = 0
        async with asyncio.timeout(SOON), watch.of(number) as states:
            async for many in states:
                assert (many or 0) > told or told == 0
                told = many or 0
                if told == times:
                    return

    tasks: list[asyncio.Future[None]] = []
    for time in range(times):
        for number in range(3):
            tasks.append(asyncio.ensure_future(follow(number)))
            await put(number)
            gone = asyncio.ensure_future(follow(number))
            await asyncio.wait([gone], timeout=0.001 * time)
            gone.cancel()
    await asyncio.gather(*tasks)
    assert not watch.watching


async def test_nothing_is_watched_when_nobody_follows(db: Database, looks: Looks) -> None:
    """Whoever comes next begins again, also while the last one leaves or is cancelled."""
    watch = Watch(db, looks)
    for _ in range(2):
        async with watch.of(1) as states:
            assert await following(states) is None
            assert watch.watching
        assert not watch.watching

    async def visit() -> None:
        async with watch.of(1) as states:
            await following(states)
            await anext(states)

    tasks = [asyncio.ensure_future(visit()) for _ in range(20)]
    await asyncio.wait(tasks, timeout=0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    assert not watch.watching


async def test_a_database_that_is_gone_ends_every_stream(looks: Looks) -> None:
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
    watch = Watch(gone, looks)
    async with watch.of(1) as one, watch.of(2) as two:
        gone.fail.set()
        for states in (one, two):
            for _ in range(2):  # for good
                with pytest.raises(Unreachable):
                    await following(states)
        assert not watch.watching
        gone.fail.clear()
        async with watch.of(3) as three:
            assert await quiet(three)
    assert gone.asked == 2
    assert not watch.watching


async def test_what_the_read_raises_ends_every_stream(db: Database, put: Put) -> None:
    """A mistake in it is told to the callers, and not waited over for ever."""

    async def wrong(_tx: Transaction, _numbers: Collection[int]) -> dict[int, int]:
        raise ZeroDivisionError

    watch = Watch(db, wrong)
    async with watch.of(1) as one, watch.of(2) as two:
        for states in (one, two):
            with pytest.raises(ZeroDivisionError):
                await following(states)
    await put(1)
    assert not watch.watching


async def test_a_busy_moment_ends_nobody(db: Database, looks: Looks, put: Put) -> None:
    """Whoever follows hears of it once the database is free."""
    busy = 2

    async def contended() -> None:
        nonlocal busy
        if busy:
            busy -= 1
            raise Contended

    await put(1)
    looks.before = contended
    async with Watch(db, looks).of(1) as states:
        assert await following(states) == 1
    assert not busy
