"""What a worker does again and again: expire, clean up, refresh."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import structlog

from protomesh.runtime.current import Metadatum, Scope, current
from protomesh.runtime.interruptible import Interruptible, Interruption
from protomesh.runtime.lease import FileLease

__all__ = ["Job", "Jobs", "every"]

_log = structlog.get_logger("protomesh.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function and how often it runs."""

    name: str
    interval: timedelta
    function: Callable[[], Awaitable[None]]
    one_worker: bool = False


def every(
    interval: timedelta, function: Callable[[], Awaitable[None]], *, one_worker: bool = False, name: str | None = None
) -> Job:
    """A job that runs when the worker starts, and again each time `interval` has passed since it last ended.

    With `one_worker` only one of a service's workers on this machine runs it; another takes over when that one ends.
    An error is logged and ends only that run. `name` is the function's own unless given.

    Raises:
        ValueError: the interval is not positive.
    """
    if interval <= timedelta(0):
        raise ValueError("the interval of a job must be positive")
    called = name or str(getattr(function, "__qualname__", type(function).__name__))
    return Job(name=called, interval=interval, function=function, one_worker=one_worker)


class Jobs:
    """Runs jobs for as long as its block lasts.

    At the end a run in progress is cancelled; what it does detached is let finish.

    Args:
        data: The directory that all workers of the service on this machine share.
    """

    def __init__(self, jobs: Sequence[Job], data: Path) -> None:
        self._jobs = jobs
        self._data = data
        self._running: list[Interruptible] = []

    async def __aenter__(self) -> Self:
        self._running = [Interruptible(asyncio.create_task(self._repeat(job))) for job in self._jobs]
        return self

    async def __aexit__(self, *_: object) -> None:
        for running in self._running:
            running.interrupt(Interruption.DRAIN)
        await asyncio.gather(*(running.task for running in self._running), return_exceptions=True)

    async def _repeat(self, job: Job) -> None:
        file = self._data / f"job-{re.sub('[^A-Za-z0-9_.-]', '_', job.name)}.lock"
        lease = FileLease(file) if job.one_worker else None
        try:
            while True:
                if lease is None or lease.acquire():
                    await _run(job)
                await asyncio.sleep(job.interval.total_seconds())
        finally:
            if lease is not None:
                lease.release()


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
