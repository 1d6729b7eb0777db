"""One worker of a service: a process on a socket of its own, from its start until it serves."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from protomesh.model import UnixAddress
from protomesh.supervisor.account import Owner
from protomesh.supervisor.logs import last_lines
from protomesh.supervisor.probe import NotSecured, Secured, wait_serving
from protomesh.supervisor.process import Process

__all__ = ["Launch", "Worker", "WorkerFailed"]

_LOG_LINES = 15


class WorkerFailed(Exception):  # noqa: N818 - it says what happened, as InvalidProject does
    """A worker did not come to serve. `log` is the end of what it wrote, oldest line first."""

    def __init__(self, reason: str, log: Sequence[str] = ()) -> None:
        self.reason = reason
        self.log = tuple(log)
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start one worker."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    address: UnixAddress
    owner: Owner | None = None  # who it runs as; we if None
    enters: Sequence[str] = ()  # directories that it needs
    secured: Callable[[], Secured] | None = None


class Worker:
    """A process that was told to listen on `address`."""

    def __init__(self, process: Process, launch: Launch, log_start: int) -> None:
        self.process = process
        self.address = launch.address
        self.serving = False
        self._secured = launch.secured
        self._log = launch.log
        self._log_start = log_start

    @classmethod
    def spawn(cls, launch: Launch) -> "Worker":
        """Starts the process. It does not serve yet; see `wait_serving`.

        Raises:
            WorkerFailed: there is no such program.
        """
        log_start = launch.log.stat().st_size if launch.log.exists() else 0
        program = launch.argv[0]
        try:
            process = Process.spawn(
                launch.argv, env=launch.env, cwd=launch.cwd, log=launch.log, owner=launch.owner, enters=launch.enters
            )
        except OSError as error:
            missing = "/" not in program and shutil.which(program, path=launch.env.get("PATH")) is None
            reason = f"{program} is not on PATH" if missing else f"can't execute {program}: {error.strerror}"
            raise WorkerFailed(reason) from error
        return cls(process, launch, log_start)

    async def wait_serving(self, limit: timedelta) -> None:
        """Waits until grpc.health.v1 says SERVING on its socket.

        Raises:
            WorkerFailed: it ended before that, which is seen at once; or it took longer than `limit`. It may still
                run then.
        """
        exited = asyncio.ensure_future(self.process.wait())
        serving = asyncio.ensure_future(wait_serving(self.address, limit, self._secured))
        try:
            await asyncio.wait({exited, serving}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise WorkerFailed(f"{exited.result()} before it served", self.last_log_lines())
            try:
                serving.result()
            except (TimeoutError, NotSecured) as error:
                raise WorkerFailed(str(error), self.last_log_lines()) from error
            self.serving = True
        finally:
            for task in (exited, serving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, TimeoutError, NotSecured):
                    await task

    def last_log_lines(self) -> list[str]:
        """The end of what was written to the service's log since this worker started."""
        return last_lines(self._log, _LOG_LINES, since=self._log_start)

    async def stop(self, grace: timedelta) -> None:
        """Lets it drain, ends it, and removes its socket, which a killed process leaves behind."""
        self.serving = False
        await self.process.stop(grace)
        self.remove_socket()

    def remove_socket(self) -> None:
        """Removes the socket's file. No other worker ever uses this path."""
        Path(self.address.path).unlink(missing_ok=True)
