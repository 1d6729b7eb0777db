"""What a worker does again and again: expire, clean up, refresh."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import structlog

from protomesh.runtime.current import Metadatum, Scope, current
from protomesh.runtime.errors import StatusError
from protomesh.runtime.interruptible import Interruptible, Interruption
from protomesh.runtime.lease import FileLeases, Lease

if TYPE_CHECKING:
    from protomesh.runtime.store import Database

__all__ = ["Job", "Jobs", "every"]

# Until a lease that is lost is asked for again.
_LOST_SECONDS = 1.0

_log = structlog.get_logger("protomesh.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function and how often it runs."""

    name: str
    interval: timedelta
    function: Callable[[], Awaitable[None]]
    one_worker: bool = False
    per_mesh: bool = False


def every(
    interval: timedelta,
    function: Callable[[], Awaitable[None]],
    *,
    one_worker: bool = False,
    per_mesh: bool = False,
    name: str | None = None,
) -> Job:
    """A job that runs when the worker starts, and again each time `interval` has passed since it last ended.

    With `one_worker` only one of all workers runs it that share the service's database, on whatever machine; without a
    database, of those on this machine. Another takes over within seconds when that one ends, and runs it at once. A run
    whose worker can't reach the database any more is interrupted: do what must not happen twice in a transaction.

    With `per_mesh` besides, one worker of each mesh runs it, for what has to do with the mesh and not with the data:
    workers of two machines may share a database. An error is logged and ends only that run. `name` is the function's
    own unless given.

    Raises:
        ValueError: the interval is not positive; `per_mesh` without `one_worker`.
    """
    if interval <= timedelta(0):
        raise ValueError("the interval of a job must be positive")
    if per_mesh and not one_worker:
        raise ValueError("per_mesh says of which workers one runs the job: every(..., one_worker=True, per_mesh=True)")
    called = name or str(getattr(function, "__qualname__", type(function).__name__))
    return Job(name=called, interval=interval, function=function, one_worker=one_worker, per_mesh=per_mesh)


class Jobs:
    """Runs jobs for as long as its block lasts.

    At the end a run in progress is cancelled; what it does detached is let finish.

    Args:
        data: The directory that all workers of the service in this mesh share.
        database: What workers of other machines share with them, too.
    """

    def __init__(self, jobs: Sequence[Job], data: Path, database: "Database | None" = None) -> None:
        self._jobs = jobs
        self._data = data
        self._database = database
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._keep(job)) for job in self._jobs]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, job: Job) -> None:
        if not job.one_worker:
            await _until(asyncio.get_running_loop().create_future(), job)
        lease, away = self._lease(job), False
        while True:
            try:
                async with lease.held():
                    away = False
                    await _until(lease.wait_lost(), job)
                _log.warning("the lease of a job is lost", job=job.name)
            except StatusError as error:
                if not away:  # once per outage: it is repeated until it is over
                    _log.warning("the lease of a job can't be asked for", job=job.name, reason=str(error))
                away = True
            await asyncio.sleep(_LOST_SECONDS)

    def _lease(self, job: Job) -> Lease:
        if self._database is None or job.per_mesh:
            return FileLeases(self._data / "lease").named(f"job-{job.name}")
        return self._database.lease(f"job-{job.name}")


async def _until(end: Awaitable[None], job: Job) -> None:
    """Runs a job again and again until its lease ends, or this is cancelled: it has come to rest then."""
    ending = asyncio.ensure_future(end)
    runs = Interruptible(asyncio.create_task(_repeat(job)))
    why = Interruption.DRAIN
    try:
        await asyncio.wait([ending])
        why = Interruption.LEASE_LOST
    finally:
        ending.cancel()
        runs.interrupt(why)
        await asyncio.wait([runs.task])


async def _repeat(job: Job) -> None:
    while True:
        await _run(job)
        await asyncio.sleep(job.interval.total_seconds())


async def _run(job: Job) -> None:
    token = current.set(_Run(job))
    try:
        await job.function()
    except Exception as error:  # noqa: BLE001 - a failed run must not be the last one
        _log.error("a job failed", job=job.name, exc_info=error)
    finally:
        current.reset(token)


class _Run(Scope):
    """One run: its calls have a request id of their own, and no deadline but the contract's."""

    __slots__ = ("_forwarded",)

    def __init__(self, job: Job) -> None:
        super().__init__(job.name, None)
        self._forwarded: tuple[Metadatum, ...] = (("x-request-id", str(uuid.uuid4())),)

    @property
    def forwarded(self) -> tuple[Metadatum, ...]:
        return self._forwarded
