"""The node agent: runs the services of one mesh on this machine."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.model import Layout, Service
from protomesh.supervisor.environment import EnvironmentOf
from protomesh.supervisor.logs import log_file, rotate
from protomesh.supervisor.probe import CredentialsOf
from protomesh.supervisor.rollout import GRACE
from protomesh.supervisor.state import StateFile
from protomesh.supervisor.stop_order import callers_of
from protomesh.supervisor.worker import WorkerFailed
from protomesh.supervisor.workers import Attachment, Host, Workers

__all__ = ["Agent", "ServicesFailed", "UnknownService"]

_ROTATION = 10.0  # seconds between two looks at the size of the logs
_log = logging.getLogger(__name__)


class UnknownService(Exception):  # noqa: N818 - it says what happened
    """The mesh has no service of that name, or does not run it itself."""


class ServicesFailed(Exception):  # noqa: N818 - it says what happened
    """Some services did not come to serve; `failures` says why, by the service's name."""

    def __init__(self, failures: Mapping[str, WorkerFailed]) -> None:
        self.failures = dict(failures)
        super().__init__("; ".join(f"{name}: {failure.reason}" for name, failure in self.failures.items()))


class Agent:
    """Starts workers, keeps them running, replaces them, and reports their endpoints to control.

    It reports by the admin API even where control lives in the same process, so that it can run on another machine.
    `environment` is `protomesh.runtime.launch.environment`. `secured` says how to come to workers
    that have mutual TLS. `changed` is set whenever `statuses` would read
    differently; who waits for it clears it.
    """

    def __init__(
        self,
        root: Path,
        layout: Layout,
        *,
        admin: AdminServiceStub,
        environment: EnvironmentOf,
        state: StateFile,
        secured: CredentialsOf | None = None,
    ) -> None:
        self.changed = asyncio.Event()
        self._layout = layout
        self._host = Host(
            root=root,
            layout=layout,
            admin=admin,
            environment=environment,
            state=state,
            changed=self.changed.set,
            secured=secured,
        )
        self._workers: dict[str, Workers] = {}
        self._changing = asyncio.Lock()  # one start, reload or restart at a time
        self._rotation: asyncio.Task[None] | None = None

    async def start(self, services: Mapping[str, Service]) -> None:
        """Starts every service, all at once, and keeps them running from then on.

        Raises:
            ServicesFailed: some did not come to serve. They are tried again and again until `stop`.
        """
        self._rotation = asyncio.create_task(self._rotate(), name="rotate logs")
        async with self._changing:
            self._workers = {name: Workers(service, self._host) for name, service in services.items()}
            await self._all({name: workers.start() for name, workers in self._workers.items()})

    async def apply(self, services: Mapping[str, Service]) -> list[str]:
        """Follows a changed mesh.yaml: starts, ends and restarts what needs it. Returns what it did, for people.

        Raises:
            ServicesFailed: some did not come to serve; everything else has been done.
        """
        changes: list[str] = []

        async def update(name: str, service: Service) -> None:
            if await self._workers[name].update(service):
                changes.append(f"restarted {name}")

        async with self._changing:
            gone = [name for name in self._workers if name not in services]
            new = [name for name in services if name not in self._workers]
            kept = [name for name in services if name in self._workers]
            for name in new:
                self._workers[name] = Workers(services[name], self._host)
            removed = {name: self._workers.pop(name) for name in gone}
            try:
                await self._all(
                    {name: self._workers[name].start() for name in new}
                    | {name: update(name, services[name]) for name in kept}
                    | {name: workers.stop() for name, workers in removed.items()}
                )
            finally:
                self.changed.set()
        return sorted(changes) + [f"started {name}" for name in new] + [f"stopped {name}" for name in gone]

    async def restart(self, name: str) -> None:
        """Replaces the workers of one service one by one without failing a call.

        Raises:
            UnknownService: there is no such service, or it runs elsewhere.
            WorkerFailed: a new worker did not come to serve; the old ones serve on.
        """
        async with self._changing:
            await self._supervised(name).restart()

    def attach(self, name: str) -> AbstractAsyncContextManager[Attachment]:
        """Prepares a place for a worker that a terminal starts. See `Workers.attach`.

        Raises:
            UnknownService: there is no such service, or it runs elsewhere.
        """
        return self._supervised(name).attach()

    async def wait_attached(self, name: str, attachment: Attachment) -> None:
        """Waits until the attached worker serves and Envoy sends it the service's calls."""
        await self._supervised(name).wait_attached(attachment)

    async def detach(self, name: str) -> None:
        """Sends calls to the service's own workers again, before the attachment ends."""
        await self._supervised(name).detach()

    async def stop(self, *, callers_first: bool = False) -> None:
        """Ends all workers after they have drained.

        All at once; with `callers_first` a service ends when those have ended that call it, so that what they have
        begun can be finished. That lasts as long as one worker may take to drain, then the others follow at once.
        """
        if self._rotation is not None:
            self._rotation.cancel()
            await asyncio.gather(self._rotation, return_exceptions=True)
        callers = callers_of({name: workers.service for name, workers in self._workers.items()})
        ended = {name: asyncio.Event() for name in self._workers}
        at_the_latest = asyncio.get_running_loop().time() + GRACE.total_seconds()

        async def end(name: str, workers: Workers) -> None:
            if callers_first:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(at_the_latest):
                        for caller in callers[name]:
                            await ended[caller].wait()
            await workers.stop()
            ended[name].set()

        await asyncio.gather(*(end(name, workers) for name, workers in self._workers.items()))
        self.changed.set()

    def statuses(self) -> list[admin.ServiceStatus]:
        """What each service is doing, sorted by name; without what only the contract knows."""
        return [self._workers[name].status() for name in sorted(self._workers)]

    def _supervised(self, name: str) -> Workers:
        workers = self._workers.get(name)
        if workers is None or not workers.service.supervised:
            raise UnknownService(name)
        return workers

    async def _all(self, work: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        results = await asyncio.gather(*work.values(), return_exceptions=True)
        failures: dict[str, WorkerFailed] = {}
        for name, result in zip(work, results, strict=True):
            if isinstance(result, WorkerFailed):
                failures[name] = result
            elif isinstance(result, BaseException):
                raise result
        if failures:
            raise ServicesFailed(failures)

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(_ROTATION)
            for source in (*self._workers, "mesh", "envoy", "access"):
                if await asyncio.to_thread(rotate, log_file(self._layout, source)):
                    _log.info("log rotated", extra={"service": source})
