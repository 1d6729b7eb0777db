"""One worker of a service: a process on a socket of its own, from its start until it serves."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from protomesh.model import UnixAddress
from protomesh.supervisor.logs import last_lines
from protomesh.supervisor.process import Process

__all__ = ["Launch", "Worker", "WorkerFailed", "wait_serving"]

_FIRST_POLL = 0.02  # seconds
_LONGEST_POLL = 0.25
_PROBE_TIMEOUT = 1.0
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


class Worker:
    """A process that was told to listen on `address`."""

    def __init__(self, process: Process, launch: Launch, log_start: int) -> None:
        self.process = process
        self.address = launch.address
        self.serving = False
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
            process = Process.spawn(launch.argv, env=launch.env, cwd=launch.cwd, log=launch.log)
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
        serving = asyncio.ensure_future(wait_serving(self.address, limit))
        try:
            await asyncio.wait({exited, serving}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise WorkerFailed(f"{exited.result()} before it served", self.last_log_lines())
            try:
                serving.result()
            except TimeoutError as error:
                raise WorkerFailed(str(error), self.last_log_lines()) from error
            self.serving = True
        finally:
            for task in (exited, serving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, TimeoutError):
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


async def wait_serving(address: UnixAddress, limit: timedelta) -> None:
    """Asks grpc.health.v1 at `address` until it says SERVING, ever more seldom up to four times a second.

    Raises:
        TimeoutError: with what the last probe said.
    """
    deadline = asyncio.get_running_loop().time() + limit.total_seconds()
    pause = _FIRST_POLL
    answer = "it does not listen on its socket"
    while asyncio.get_running_loop().time() < deadline:
        answer = await _probe(address) if os.path.exists(address.path) else answer  # noqa: ASYNC240, PTH110 - of a tmpfs
        if not answer:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL)
    raise TimeoutError(f"not SERVING after {limit.total_seconds():g} s: {answer}")


async def _probe(address: UnixAddress) -> str:
    """Empty if it serves, else what is wrong. Has a channel of its own: one that failed waits before it redials."""
    async with grpc.aio.insecure_channel(str(address), options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            response = await check(health_pb2.HealthCheckRequest(), timeout=_PROBE_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return "it does not serve grpc.health.v1"
            return f"its health check answers {error.code().name}"
    if response.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"its health is {health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)}"
