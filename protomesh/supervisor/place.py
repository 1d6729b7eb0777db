"""One of a service's workers as a place that is kept filled: started, replaced, started again after a crash."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from protomesh.model import UnixAddress
from protomesh.supervisor.backoff import Backoff
from protomesh.supervisor.rollout import GRACE, replace
from protomesh.supervisor.state import StateFile
from protomesh.supervisor.worker import Launch, Worker, WorkerFailed

__all__ = ["Place"]

_log = logging.getLogger(__name__)


class Place:
    """Keeps one worker running until it is stopped.

    `launch` says how to start the next one; each has a socket path of its own. `report` tells Envoy which addresses
    the service has now and returns when that is acknowledged; `changed` is called whenever a status would read
    differently.
    """

    def __init__(
        self,
        service: str,
        index: int,
        *,
        launch: Callable[[], Launch],
        report: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
        state: StateFile,
    ) -> None:
        self.service = service
        self.index = index
        self.worker: Worker | None = None
        self.restarts = 0
        self.failure: WorkerFailed | None = None  # why nothing runs here, or why the last try to replace it failed
        self._launch = launch
        self._report = report
        self._changed = changed
        self._state = state
        self._incoming: Worker | None = None
        self._running: list[Worker] = []
        self._backoff = Backoff()
        self._lock = asyncio.Lock()  # one start, replacement or stop at a time
        self._keeper: asyncio.Task[None] | None = None
        self._again = asyncio.Event()  # a worker is there to be watched

    @property
    def addresses(self) -> list[UnixAddress]:
        """Where it answers now; two for the moment in which one worker hands over to the next."""
        return [w.address for w in (self.worker, self._incoming) if w is not None and w.serving]

    async def start(self) -> None:
        """Fills the place for the first time and keeps it filled from then on, also if this fails.

        Raises:
            WorkerFailed: the worker did not come to serve.
        """
        try:
            await self.replace()
        finally:
            self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.service}/{self.index}")

    async def replace(self) -> None:
        """Puts a new worker in the place of the one that runs, without failing a call.

        Raises:
            WorkerFailed: the new worker did not come to serve; the old one, if any, serves on.
        """
        async with self._lock:
            old = self.worker
            try:
                await replace(old, self._launch(), self._swap, spawned=self._spawned)
            except WorkerFailed as failure:
                self.failure = failure
                self._changed()
                raise
            finally:
                self._forget_ended()
            self.failure = None
            self._changed()

    async def stop(self) -> None:
        """Ends the worker after it has drained, and starts none any more."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        async with self._lock:
            worker, self.worker = self.worker, None
            if worker is not None:
                await worker.stop(GRACE)
                self._forget_ended()
                self._changed()

    async def _keep(self) -> None:
        while True:
            try:
                await self._watch()
            except Exception:  # noqa: BLE001 - a bug of ours must not leave the place empty for good
                _log.exception("keeping a worker failed", extra={"service": self.service})
                await self._pause(timedelta())

    async def _watch(self) -> None:
        while True:
            if self.worker is None:
                await self._fill()
                continue
            worker = self.worker
            status = await worker.process.wait()
            if worker is not self.worker:
                continue  # it was replaced, and ended as it was asked to
            self.worker = None
            worker.serving = False
            self.failure = WorkerFailed(f"{status}", worker.last_log_lines())
            _log.warning(
                "worker crashed", extra={"service": self.service, "pid": worker.process.pid, "status": str(status)}
            )
            self._changed()
            with contextlib.suppress(WorkerFailed):  # logged; control keeps the list for the next Envoy
                await self._report()
            worker.remove_socket()
            self._forget_ended()
            await self._pause(worker.process.life)

    async def _fill(self) -> None:
        """Starts a worker where there is none; waits after a failure."""
        started = asyncio.get_running_loop().time()
        try:
            await self.replace()
        except WorkerFailed as failure:
            _log.warning("worker did not start", extra={"service": self.service, "reason": failure.reason})
            await self._pause(timedelta(seconds=asyncio.get_running_loop().time() - started))
        else:
            self.restarts += 1
            self._changed()

    async def _pause(self, life: timedelta) -> None:
        """Waits before the next start; cut short when somebody else fills the place."""
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), self._backoff.after(life).total_seconds())

    async def _swap(self, new: Worker) -> None:
        """Sends calls to `new` as well, then to `new` alone: at no moment the service has no endpoint."""
        old = self.worker
        try:
            if old is not None:
                self._incoming = new
                await self._report()
            self.worker, self._incoming = new, None
            await self._report()
        except BaseException:
            self.worker, self._incoming = old, None
            raise
        self._again.set()

    def _spawned(self, worker: Worker) -> None:
        self._running.append(worker)
        self._state.add(worker.process.pid, worker.process.start_time, self.service)
        self._changed()

    def _forget_ended(self) -> None:
        for worker in [w for w in self._running if w.process.status is not None]:
            self._running.remove(worker)
            self._state.remove(worker.process.pid)
