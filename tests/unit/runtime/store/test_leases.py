import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from protomesh.runtime import every
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases

SOON = timedelta(seconds=20).total_seconds()
SHORT = timedelta(milliseconds=10)
WORKER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from sqlalchemy import make_url
from protomesh.runtime import every
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.store import Database

async def sweep(): print("sweep", flush=True)
async def tick(): print("tick", flush=True)

async def main(url, data):
    often = timedelta(milliseconds=50)
    jobs = [every(often, sweep, one_worker=True, name="sweep"), every(often, tick)]
    async with Database(make_url(url)) as db, Jobs(jobs, Path(data), db):
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


class Worker:
    """A process that runs two jobs of one database, one of them as the only worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def next_line(self) -> str:
        """Which job runs next."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SOON):
            return (await self.process.stdout.readline()).decode().strip()

    async def sweeps(self) -> None:
        """Returns when it has run the job of one worker."""
        while await self.next_line() != "sweep":
            assert self.process.returncode is None

    async def ticks(self, times: int) -> list[str]:
        """What it runs until it has run the other job so often."""
        ran: list[str] = []
        while ran.count("tick") < times:
            ran.append(await self.next_line())
        return ran


@pytest.fixture
async def worker(url: URL, tmp_path: Path) -> AsyncGenerator[Callable[[str], "asyncio.Future[Worker]"]]:
    """Starts a worker on a machine of its own: nothing is shared but the database."""
    started: list[Worker] = []

    async def start(machine: str) -> Worker:
        address = url.render_as_string(hide_password=False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, address, str(tmp_path / machine), stdout=asyncio.subprocess.PIPE
        )
        started.append(Worker(process))
        return started[-1]

    yield lambda machine: asyncio.ensure_future(start(machine))
    for each in started:
        if each.process.returncode is None:
            each.process.kill()
        await each.process.communicate()


async def test_one_process_runs_a_job_until_it_is_killed(worker: Callable[[str], "asyncio.Future[Worker]"]) -> None:
    """On whatever machine; another takes over within seconds."""
    first = await worker("a")
    await first.sweeps()
    second = await worker("b")
    assert "sweep" not in await second.ticks(30)  # more than a second, in which it asks for the lease
    first.process.kill()
    await first.process.wait()
    begun = time.monotonic()
    await second.sweeps()
    assert time.monotonic() - begun < 5
    third = await worker("a")
    assert "sweep" not in await third.ticks(30)


async def test_workers_of_one_process_take_turns_too(db: Database, tmp_path: Path) -> None:
    """As tests have them, and as two databases of one process on one URL."""
    ran: list[str] = []
    ran_first, ran_second = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        ran.append("first")
        ran_first.set()

    async def second() -> None:
        ran.append("second")
        ran_second.set()

    ticked = asyncio.Semaphore(0)

    async def tick() -> None:
        ticked.release()

    async with asyncio.timeout(SOON):
        async with Jobs([every(SHORT, first, one_worker=True, name="sweep")], tmp_path / "a", db):
            await ran_first.wait()
            jobs = [every(SHORT, second, one_worker=True, name="sweep"), every(timedelta(seconds=0.1), tick)]
            waiting = Jobs(jobs, tmp_path / "b", db)
            await waiting.__aenter__()
            for _ in range(15):
                await ticked.acquire()
            assert set(ran) == {"first"}
        await ran_second.wait()
        await waiting.__aexit__()


async def test_a_job_per_mesh_runs_once_in_each(db: Database, tmp_path: Path) -> None:
    """Of workers that share a database and no directory, both; of those that share both, one."""
    ran: set[str] = set()
    twice, ticked = asyncio.Event(), asyncio.Semaphore(0)

    async def tick() -> None:
        ticked.release()

    @asynccontextmanager
    async def mesh(name: str, directory: str) -> AsyncGenerator[None]:
        async def sweep() -> None:
            ran.add(name)
            if len(ran) == 2:
                twice.set()

        jobs = [every(SHORT, sweep, one_worker=True, per_mesh=True, name="sweep")]
        if name == "again":
            jobs.append(every(timedelta(seconds=0.1), tick))
        async with Jobs(jobs, tmp_path / directory, db):
            yield

    async with asyncio.timeout(SOON), mesh("here", "here"), mesh("there", "there"):
        await twice.wait()
        async with mesh("again", "here"):
            for _ in range(15):
                await ticked.acquire()
    assert ran == {"here", "there"}


async def test_a_lease_is_given_up_by_whoever_stops_waiting(db: Database, database: Databases) -> None:
    """However often somebody asked for it, and at whatever moment they left."""
    other = await database.open(db.url)

    async def hold(asked: Database, *, until: asyncio.Event | None = None) -> None:
        async with asked.lease("sweep").held():
            if until is not None:
                await until.wait()

    async with asyncio.timeout(SOON):
        for turns in range(20):
            asking = asyncio.ensure_future(hold(db, until=asyncio.Event()))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
        await hold(other)
        await hold(db)


async def test_leases_of_different_names_are_held_side_by_side(db: Database, database: Databases) -> None:
    """And one is given up without the other."""
    other = await database.open(db.url)

    async def free(name: str) -> bool:
        async def hold() -> None:
            async with other.lease(name).held():
                pass

        asking = asyncio.ensure_future(hold())
        done, _ = await asyncio.wait([asking], timeout=2.5)  # it is asked for each second
        asking.cancel()
        return bool(done)

    async with asyncio.timeout(SOON), db.lease("one").held():
        async with db.lease("two").held():
            assert not await free("two")
        assert await free("two")
        assert not await free("one")


async def test_leases_take_one_connection_of_the_server(db: Database, database: Databases, database_kind: str) -> None:
    """Which is there as long as one of them is held or waited for. SQLite has no server."""

    async def connections() -> int:
        if database_kind == "sqlite":
            return 0
        count = (
            "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE '%advisory_lock%' AND pid <> pg_backend_pid()"
        )
        async with db.read() as tx:
            return int(await tx.scalar(text(count)) or 0)

    expected = 0 if database_kind == "sqlite" else 1
    other = await database.open(db.url)
    async with db.lease("one").held(), db.lease("two").held():
        assert await connections() == expected
        async with other.lease("three").held():
            assert await connections() == 2 * expected
    async with asyncio.timeout(SOON):
        while await connections():
            await asyncio.sleep(0.02)
