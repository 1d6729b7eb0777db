import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from protomesh.runtime import App, detached, every, jobs
from protomesh.runtime.current import current, time_remaining
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.store import Unreachable

SHORT = timedelta(milliseconds=1)
LONG = timedelta(hours=1)


async def test_a_job_runs_at_once_and_again_after_its_interval(tmp_path: Path) -> None:
    """Each run is a request of its own, without a deadline."""
    ids: list[str | None] = []
    enough = asyncio.Event()

    async def job() -> None:
        scope = current.get()
        assert scope is not None
        assert time_remaining() is None
        ids.append(scope.request_id)
        if len(ids) == 3:
            enough.set()

    async with Jobs([every(SHORT, job)], tmp_path):
        await asyncio.wait_for(enough.wait(), 5)
    assert len(set(ids[:3])) == 3


async def test_a_job_does_not_run_again_before_its_interval(tmp_path: Path) -> None:
    """Nor while it is running."""
    runs: list[int] = []
    begun = asyncio.Event()

    async def slow() -> None:
        runs.append(1)
        begun.set()
        await asyncio.Event().wait()

    other = asyncio.Event()

    async def tick() -> None:
        runs.append(2)
        other.set()

    async with Jobs([every(SHORT, slow), every(LONG, tick)], tmp_path):
        await asyncio.wait_for(begun.wait(), 5)
        await asyncio.wait_for(other.wait(), 5)
    assert sorted(runs) == [1, 2]


async def test_a_failed_run_is_not_the_last_one(tmp_path: Path) -> None:
    """The log has the exception."""
    again = asyncio.Event()
    runs: list[int] = []

    async def job() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("first")
        again.set()

    with capture_logs() as logs:
        async with Jobs([every(SHORT, job, name="flaky")], tmp_path):
            await asyncio.wait_for(again.wait(), 5)
    assert [(line["job"], str(line["exc_info"])) for line in logs] == [("flaky", "first")]


async def test_a_run_is_cancelled_at_the_end_but_for_what_is_detached(tmp_path: Path) -> None:
    """A step that must be finished is."""
    done: list[str] = []
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        async with detached(timeout=timedelta(seconds=30)):
            begun.set()
            await may_end.wait()
            done.append("inside")
        done.append("behind")

    jobs = Jobs([every(LONG, job)], tmp_path)
    await jobs.__aenter__()
    await asyncio.wait_for(begun.wait(), 5)
    ending = asyncio.ensure_future(jobs.__aexit__())
    finished, _ = await asyncio.wait({ending}, timeout=0.05)
    assert not finished
    may_end.set()
    await asyncio.wait_for(ending, 5)
    assert done == ["inside"]


async def test_one_worker_of_a_machine_runs_the_job_until_it_ends(tmp_path: Path) -> None:
    """Another takes over; the job is named by its lock and not by the worker."""
    ran: list[str] = []
    first_ran, second_ran, unlocked_ran = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def first() -> None:
        ran.append("first")
        first_ran.set()

    async def second() -> None:
        ran.append("second")
        second_ran.set()

    async def unlocked() -> None:
        unlocked_ran.set()

    jobs = [every(SHORT, second, one_worker=True, name="sweep"), every(SHORT, unlocked)]
    async with Jobs(jobs, tmp_path) as _:
        pass  # not even a first run, and no lock is left behind
    ran.clear()
    async with Jobs([every(LONG, first, one_worker=True, name="sweep")], tmp_path):
        await asyncio.wait_for(first_ran.wait(), 5)
        unlocked_ran.clear()
        second_ran.clear()
        waiting = Jobs(jobs, tmp_path)
        await waiting.__aenter__()
        for _ in range(3):
            await asyncio.wait_for(unlocked_ran.wait(), 5)
            unlocked_ran.clear()
        assert ran == ["first"]
    await asyncio.wait_for(second_ran.wait(), 5)
    await waiting.__aexit__()
    assert ran[:2] == ["first", "second"]


async def test_the_lock_is_given_up_by_a_worker_that_is_killed(tmp_path: Path) -> None:
    """However a process ends, the kernel opens its locks."""
    code = (
        "import fcntl, os, sys\n"
        f"file = os.open({str(tmp_path / 'lease.job-sweep')!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    try:
        assert holder.stdout is not None
        assert await asyncio.wait_for(holder.stdout.readline(), 10) == b"locked\n"
        ran, ticked = asyncio.Event(), asyncio.Event()

        async def job() -> None:
            ran.set()

        async def tick() -> None:
            ticked.set()

        async with Jobs([every(SHORT, job, one_worker=True, name="sweep"), every(SHORT, tick)], tmp_path):
            await asyncio.wait_for(ticked.wait(), 5)
            ticked.clear()
            await asyncio.wait_for(ticked.wait(), 5)
            assert not ran.is_set()
            holder.kill()
            await asyncio.wait_for(ran.wait(), 5)
    finally:
        if holder.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                holder.kill()
        await holder.communicate()


class Away:
    """A database that can't be reached the first times that somebody asks for a lease."""

    def __init__(self, times: int) -> None:
        self._left = times
        self.lost = asyncio.Event()

    def lease(self, _name: str) -> Self:
        """See `Database`."""
        return self

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """See `Lease`."""
        if self._left:
            self._left -= 1
            raise Unreachable
        yield

    async def wait_lost(self) -> None:
        """See `Lease`."""
        await self.lost.wait()
        self.lost.clear()
        self._left = 2


async def test_an_outage_is_told_once_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose lease can't be asked for, or is lost, goes on when the database is back."""
    monkeypatch.setattr(jobs, "_LOST_SECONDS", 0.01)
    ran = asyncio.Semaphore(0)

    async def job() -> None:
        ran.release()

    away: Any = Away(3)
    with capture_logs() as logs:
        async with asyncio.timeout(5), Jobs([every(LONG, job, one_worker=True, name="sweep")], tmp_path, away):
            await ran.acquire()
            away.lost.set()
            await ran.acquire()
    assert [line["event"] for line in logs] == [
        "the lease of a job can't be asked for",
        "the lease of a job is lost",
        "the lease of a job can't be asked for",
    ]


def test_jobs_of_one_name_are_refused() -> None:
    """They would take each other's lock."""

    async def job() -> None: ...

    with pytest.raises(ValueError, match="two jobs are named"):
        App(jobs=[every(LONG, job), every(SHORT, job)])
    App(jobs=[every(LONG, job), every(SHORT, job, name="other")])
    with pytest.raises(ValueError, match="must be positive"):
        every(timedelta(0), job)
    with pytest.raises(ValueError, match="one_worker=True, per_mesh=True"):
        every(LONG, job, per_mesh=True)
