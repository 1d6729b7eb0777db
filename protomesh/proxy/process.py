"""An Envoy that runs."""

import asyncio
import contextlib
import json
import os
import re
import resource
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from protomesh.atomic_file import write_atomically
from protomesh.model import Layout
from protomesh.proxy.errors import EnvoyFailed, ProxyError
from protomesh.proxy.find import EnvoyBinary
from protomesh.proxy.statistics import Statistics, ask

__all__ = ["EnvoyProcess"]

_POLL = 0.02  # seconds between two looks at a starting Envoy
_LOG_LINES = 15
_ANSWERED = 2.0  # seconds within which it does what it is told
_MARK = re.compile(r"\s*goo\.gle/debug\w+\s*")
_LOG_PREFIX = re.compile(r"^\[(?P<time>[^]]*)\]\[\d+\]\[(?P<level>[^]]*)\]\[[^]]*\]\s*(\[[^]]*\]\s*)?")


def _allow_open_files() -> None:
    """Raises the soft limit to the hard one, for this process and those it starts: each connection is an open file.

    The usual soft limit is 1,024, far below the connections that the edge takes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a system may have a bound below a hard limit of infinity
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class EnvoyProcess:
    """One Envoy process, from its start to its end.

    Made by `start`. Its output goes to `envoy.log`, a file and never a pipe, so that it outlives whoever started it.
    """

    def __init__(self, process: asyncio.subprocess.Process, layout: Layout, log_start: int) -> None:
        self._process = process
        self._log = Path(layout.logs) / "envoy.log"
        self._log_start = log_start
        self._admin_socket = layout.envoy_admin_socket
        self.statistics = Statistics(self._admin_socket)

    @classmethod
    async def start(
        cls, binary: EnvoyBinary, bootstrap: Mapping[str, Any], layout: Layout, concurrency: int = 2
    ) -> Self:
        """Starts Envoy and returns when its administration socket answers.

        It is not LIVE then: that takes the first configuration, see `wait_live`. `concurrency` is the number of worker
        threads. Its configuration is kept in the run directory's `envoy.json`, which only its owner can read.

        Raises:
            EnvoyFailed: it ended at once; the text holds the end of its log.
        """
        _allow_open_files()
        config = Path(layout.run) / "envoy.json"
        write_atomically(config, json.dumps(bootstrap, indent=1), private=True)
        log = Path(layout.logs) / "envoy.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # O_APPEND: a crash's stack goes to standard error and must not overwrite what Envoy itself appends.
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            log_start = os.fstat(handle).st_size
            process = await asyncio.create_subprocess_exec(
                binary.path,
                *("--config-path", str(config), "--use-dynamic-base-id", "--concurrency", str(concurrency)),
                *("--log-path", str(log), "--log-level", "warning", "--drain-time-s", "5"),
                *("--file-flush-interval-msec", "500"),  # 10 s by default, in which a log lags behind
                stdin=asyncio.subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,  # a Ctrl-C at the terminal is for the supervisor, which stops things in order
            )
        except OSError as error:
            raise EnvoyFailed(f"Envoy could not be started: {error}") from error
        finally:
            os.close(handle)
        started = cls(process, layout, log_start)
        try:
            await started._wait_answering()
        except BaseException:
            await started.stop(grace=0)
            raise
        return started

    @property
    def pid(self) -> int:
        """The process ID; Envoy's own, there is no wrapper between."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Waits until Envoy ends; returns its exit code, negative for a signal."""
        return await self._process.wait()

    async def wait_live(self, *, timeout: float = 20) -> None:  # noqa: ASYNC109 - its message says what was waited for
        """Waits until Envoy has its first configuration and takes calls.

        Raises:
            EnvoyFailed: it ended, or it is not LIVE after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self.statistics.ready():
                    self._check_running()
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise EnvoyFailed(f"Envoy has no configuration after {timeout:g} s.{self._log_end()}") from None

    async def drain(self) -> None:
        """Ends the edge: it takes no new connections, and who is connected is told to leave with the next answer.

        Returns at once; calls go on to their ends, and services may call each other. There is no way back.
        Listeners count that have `traffic_direction: INBOUND`, see
        https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/draining. Its own graceful drain
        keeps on taking connections, and tells only a few of those who are connected at first.

        Raises:
            EnvoyFailed: Envoy does not answer, or refuses.
        """
        for path in ("/healthcheck/fail", "/drain_listeners?inboundonly"):
            try:
                status, answer = await ask(self._admin_socket, "POST", path, limit=_ANSWERED)
            except (OSError, TimeoutError, ProxyError) as error:
                raise EnvoyFailed(f"Envoy does not answer to {path}: {error}") from error
            if status != HTTPStatus.OK:
                raise EnvoyFailed(f"Envoy answers {status} to {path}: {answer.strip()}")

    async def stop(self, *, grace: float = 5) -> int:
        """Ends Envoy: SIGTERM, and SIGKILL after `grace` seconds. Returns its exit code. May be called twice."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate() if grace > 0 else self._process.kill()
            try:
                async with asyncio.timeout(max(grace, 1)):
                    return await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
        return await self._process.wait()

    async def _wait_answering(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                await self.statistics.get("/server_info")
                return
            self._check_running()
            await asyncio.sleep(_POLL)

    def _check_running(self) -> None:
        if not self.running:
            raise EnvoyFailed(f"Envoy ended with exit code {self._process.returncode}.{self._log_end()}")

    def _log_end(self) -> str:
        """The last lines that this process wrote, each on a line of its own."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._log_start)
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "".join(f"\n  {_MARK.sub('', _LOG_PREFIX.sub('', line))}" for line in lines[-_LOG_LINES:])
