"""Keeps one Envoy running."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import psutil

from protomesh.model import Layout
from protomesh.proxy import EnvoyBinary, EnvoyFailed, EnvoyProcess, ProxyError
from protomesh.supervisor import StateFile
from protomesh.supervisor.backoff import Backoff

__all__ = ["EnvoyKeeper"]

_SOON = 1.0  # seconds for calls in progress: most need less, and workers finish the others
_FLUSHED = 0.5  # seconds for the last answers on their way to the callers
_POLL = 0.02
_log = logging.getLogger(__name__)


class EnvoyKeeper:
    """Starts Envoy, and starts it again when it ends by itself.

    A new one connects to the control plane and is told everything again; calls fail until then.
    """

    def __init__(
        self,
        binary: EnvoyBinary,
        bootstrap: Mapping[str, Any],
        layout: Layout,
        *,
        state: StateFile,
        changed: Callable[[], None],
    ) -> None:
        self.process: EnvoyProcess | None = None
        self._binary = binary
        self._bootstrap = bootstrap
        self._layout = layout
        self._state = state
        self._changed = changed
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Envoy's process, or 0 while none runs."""
        return self.process.pid if self.process is not None and self.process.running else 0

    async def start(self) -> None:
        """Starts Envoy; returns when its administration socket answers.

        Raises:
            EnvoyFailed: it ended at once.
        """
        await self._start()
        self._keeper = asyncio.create_task(self._keep(), name="keep Envoy")

    async def drain(self) -> bool:
        """Has Envoy take no new callers, and gives the calls in progress a moment to end.

        Returns whether none is left. An Envoy that does not run or answer has none.
        """
        process = self.process
        if process is None or not process.running:
            return True
        try:
            await process.drain()
        except EnvoyFailed as error:
            _log.warning("Envoy was not drained", extra={"reason": str(error)})
        return await _wait_idle(process, _SOON)

    async def stop(self) -> None:
        """Ends Envoy, and starts none any more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.process is not None:
            await _wait_idle(self.process, _FLUSHED)
            await self.process.stop()
            self._state.remove(self.process.pid)

    async def _start(self) -> None:
        self.process = await EnvoyProcess.start(self._binary, self._bootstrap, self._layout)
        with contextlib.suppress(psutil.NoSuchProcess):
            self._state.add(self.process.pid, psutil.Process(self.process.pid).create_time(), "envoy")
        self._changed()

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            started = time.monotonic()
            if self.process is not None:
                code = await self.process.wait()
                self._state.remove(self.process.pid)
                _log.error("Envoy ended", extra={"pid": self.process.pid, "exit_code": code})
                self.process = None
                self._changed()
            await asyncio.sleep(backoff.after(timedelta(seconds=time.monotonic() - started)).total_seconds())
            try:
                await self._start()
            except EnvoyFailed as error:
                _log.error("Envoy did not start", extra={"reason": str(error)})


async def _wait_idle(process: EnvoyProcess, limit: float) -> bool:
    """Waits until no call is in progress, for at most `limit` seconds. Returns whether it came to that."""
    deadline = time.monotonic() + limit
    try:
        while await process.statistics.calls_in_progress():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL)
    except (OSError, TimeoutError, ProxyError):
        pass  # it has ended, and its calls with it
    return True
