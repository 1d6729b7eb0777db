"""One child process: how it starts, how its end is noticed, how it is ended."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from protomesh.supervisor.account import Owner, become

__all__ = ["ExitStatus", "Process", "is_running"]


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended: `code` is its exit status, or the negative number of the signal that ended it."""

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with status {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = f"signal {-self.code}"
        return f"killed by {name}"


class Process:
    """A child in a session and process group of its own, with its output in a file.

    It is exec()ed, never forked from our state, and it writes to a file rather than a pipe, so that it outlives a
    supervisor that dies. Its whole group ends with it: what it started does not stay behind.
    """

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.pid = popen.pid
        self.started = time.monotonic()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.start_time = psutil.Process(popen.pid).create_time()
        self._watch()

    start_time: float = 0.0  # seconds since the epoch; with the PID it names the process even after PIDs wrapped

    @classmethod
    def spawn(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        owner: Owner | None = None,
        enters: Sequence[str] = (),
    ) -> "Process":
        """Starts `argv`, with stdout and stderr appended to `log` and nothing on stdin. See `become` for its owner.

        Raises:
            OSError: the program does not exist or can't be executed.
        """
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            with become(owner, argv, env, enters) as start:
                popen = subprocess.Popen(  # noqa: S603 - mesh.yaml names the program; no shell is between
                    start.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(start.env),
                    cwd=cwd,
                    start_new_session=True,
                    pass_fds=start.descriptors,
                )
        finally:
            os.close(output)
        return cls(popen)

    @property
    def status(self) -> ExitStatus | None:
        """How it ended, or None while it runs."""
        return self._ended.result() if self._ended.done() else None

    @property
    def life(self) -> timedelta:
        """How long ago it started."""
        return timedelta(seconds=time.monotonic() - self.started)

    async def wait(self) -> ExitStatus:
        """Waits until it has ended. Cancelling the wait leaves the process alone."""
        return await asyncio.shield(self._ended)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to its whole group; nothing happens if it has ended."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a zombie's group
                os.killpg(self.pid, number)

    async def stop(self, grace: timedelta) -> ExitStatus:
        """SIGTERM, and SIGKILL for what has not ended after `grace`."""
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), grace.total_seconds())
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    def _watch(self) -> None:
        """Resolves `_ended` when the child ends: by its pidfd on Linux, by a thread that waits for it elsewhere."""
        loop = asyncio.get_running_loop()
        if hasattr(os, "pidfd_open"):
            descriptor = os.pidfd_open(self.pid)
            loop.add_reader(descriptor, self._reap, loop, descriptor)
        else:
            threading.Thread(target=self._reap_in_thread, args=(loop,), daemon=True, name=f"wait-{self.pid}").start()

    def _reap(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # not reaped yet, so the number still names this very group
        self._resolve(self._popen.wait())

    def _reap_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._popen.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(self._resolve, code)

    def _resolve(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(ExitStatus(code))


def is_running(pid: int) -> bool:
    """Whether there is such a process and it is more than a zombie that nobody has asked for."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
