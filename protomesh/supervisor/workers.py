"""All workers of one service."""

import asyncio
import contextlib
import itertools
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.model import Command, External, Layout, PythonApp, Service, UnixAddress
from protomesh.supervisor.account import AccountUnusable, Owner, own_environment
from protomesh.supervisor.belongings import own_data, own_sockets
from protomesh.supervisor.environment import EnvironmentOf, InvalidEnvironmentFile, worker_environment
from protomesh.supervisor.logs import log_file, rotate
from protomesh.supervisor.place import Place
from protomesh.supervisor.probe import CredentialsOf, NotSecured, Secured, wait_serving
from protomesh.supervisor.rollout import STARTUP
from protomesh.supervisor.state import ATTACHED, StateFile
from protomesh.supervisor.worker import Launch, WorkerFailed

__all__ = ["AlreadyAttached", "Attachment", "Host", "Workers"]

_REPORT_TIMEOUT = 15.0  # seconds; control itself gives Envoy 5 to acknowledge and 5 to health-check
_log = logging.getLogger(__name__)
_State = admin.ServiceStatus.State


class AlreadyAttached(Exception):  # noqa: N818 - it says what happened
    """Another terminal runs the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What every service of a run is started with."""

    root: Path
    layout: Layout
    admin: AdminServiceStub
    environment: EnvironmentOf
    state: StateFile
    changed: Callable[[], None]
    secured: CredentialsOf | None = None  # None if calls inside are plain text


@dataclass(frozen=True, slots=True)
class Attachment:
    """A worker that a terminal runs in place of the service's own."""

    environment: dict[str, str]  # what Protomesh, env and env_file add; the terminal's own comes first
    address: UnixAddress


class Workers:
    """Starts, replaces and ends the workers of one service, and reports where they answer."""

    def __init__(self, service: Service, host: Host) -> None:
        self.service = service
        self._host = host
        self._places: list[Place] = []
        self._generations = itertools.count(1)
        self._attached: UnixAddress | None = None
        self._attaching = False
        self._stopping = False
        self._reporting = asyncio.Lock()

    @property
    def endpoints(self) -> list[str]:
        """The addresses that Envoy should use now, as "unix:/path" or "host:port"."""
        if isinstance(self.service.runs, External):
            return [str(self.service.runs.address)]
        if self._attached is not None:
            return [str(self._attached)]
        return [str(address) for place in self._places for address in place.addresses]

    async def start(self) -> None:
        """Starts all its workers at once.

        Raises:
            WorkerFailed: the first one that did not come to serve. All are kept trying; see `stop`.
        """
        try:
            await asyncio.to_thread(self._prepare)
        except (AccountUnusable, OSError) as error:
            raise WorkerFailed(str(error)) from error
        if self.service.supervised:
            await self._grow(self.service.workers)

    async def restart(self) -> None:
        """Replaces its workers one by one without failing a call.

        Raises:
            WorkerFailed: a new worker did not come to serve; what has not been replaced serves on.
        """
        for place in list(self._places):
            await place.replace()

    async def update(self, service: Service) -> bool:
        """Follows a changed mesh.yaml. Returns whether anything had to be started, ended or replaced.

        Raises:
            WorkerFailed: a new worker did not come to serve.
        """
        old, self.service = self.service, service
        if not service.supervised or not old.supervised:
            if old.runs == service.runs:
                return False
            await self.stop()
            self._stopping = False
            await self.start()
            return True
        restart = _told(old) != _told(service)
        if restart:
            await self.restart()
        if service.workers > len(self._places):
            await self._grow(service.workers - len(self._places))
        surplus = self._places[service.workers :]
        if surplus:
            del self._places[service.workers :]
            await self._report()
            await asyncio.sleep(0.15)  # as in a rollout: until no thread of Envoy picks them any more
            await asyncio.gather(*(place.stop() for place in surplus))
        return restart or service.workers != old.workers

    async def stop(self) -> None:
        """Ends all its workers after they have drained."""
        self._stopping = True
        self._host.changed()
        places, self._places = self._places, []
        await asyncio.gather(*(place.stop() for place in places))

    @asynccontextmanager
    async def attach(self) -> AsyncIterator[Attachment]:
        """Prepares a place for a worker that somebody else starts; its own workers take over again at the end.

        They go on running meanwhile, without calls.

        Raises:
            AlreadyAttached: another terminal has the service.
        """
        if self._attaching:
            raise AlreadyAttached(self.service.name)
        self._attaching = True
        try:
            generation = next(self._generations)
            sockets = self._host.layout.worker_sockets(self.service.name)
            address = UnixAddress(str(sockets / f"{ATTACHED}{generation}.sock"))
            yield Attachment(self._environment(address, attached=True), address)
        finally:
            self._attaching = False
            await asyncio.shield(self.detach())

    async def wait_attached(self, attachment: Attachment) -> None:
        """Waits until the attached worker serves, then sends it all calls. Has no limit: a debugger may be first.

        Raises:
            WorkerFailed: it lets in whom it should refuse.
        """
        while True:
            try:
                await wait_serving(attachment.address, STARTUP, self._secured)
                break
            except TimeoutError:
                continue
            except NotSecured as error:
                raise WorkerFailed(str(error)) from error
        self._attached = attachment.address
        self._host.changed()
        await self._report()

    async def detach(self) -> None:
        """Sends calls to its own workers again; nothing happens if they go there already."""
        if self._attached is not None:
            self._attached = None
            self._host.changed()
            if self._stopping:  # there is nobody to send them to, and soon nobody to tell
                return
            with contextlib.suppress(WorkerFailed):  # logged; control keeps the list for the next Envoy
                await self._report()

    def status(self) -> admin.ServiceStatus:
        """What its workers are doing, without what only the contract knows."""
        status = admin.ServiceStatus(name=self.service.name, state=self._state(), endpoints=self.endpoints)
        for place in self._places:
            worker = place.worker
            row = status.workers.add(index=place.index, restarts=place.restarts)
            if worker is not None:
                row.pid, row.address, row.serving = worker.process.pid, str(worker.address), worker.serving
                row.start_time.CopyFrom(_timestamp(worker.process.start_time))
            if place.failure is not None and not status.problem:
                status.problem = place.failure.reason
                status.last_log_lines.extend(place.failure.log)
        return status

    def _state(self) -> "_State.ValueType":
        if isinstance(self.service.runs, External):
            return _State.STATE_EXTERNAL
        if self._stopping:
            return _State.STATE_STOPPED
        if self._attached is not None:
            return _State.STATE_ATTACHED
        if any(place.addresses for place in self._places):
            return _State.STATE_SERVING
        if any(place.failure is not None and place.worker is None for place in self._places):
            return _State.STATE_BACKING_OFF
        return _State.STATE_STARTING

    def _prepare(self) -> None:
        rotate(log_file(self._host.layout, self.service.name))
        if self.service.supervised:
            owner = Owner.of(self.service)
            own_sockets(self._host.layout, self.service.name, owner)
            own_data(self._host.layout, self.service.name, owner)

    async def _grow(self, count: int) -> None:
        first = len(self._places)
        new = [
            Place(
                self.service.name,
                index,
                launch=lambda index=index: self._launch(index),  # type: ignore[misc] # mypy can't type a lambda's default
                report=self._report,
                changed=self._host.changed,
                state=self._host.state,
            )
            for index in range(first, first + count)
        ]
        self._places += new
        results = await asyncio.gather(*(place.start() for place in new), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _launch(self, index: int) -> Launch:
        layout = self._host.layout
        address = UnixAddress(layout.worker_socket(self.service.name, next(self._generations), index))
        try:
            told, owner = self._environment(address), Owner.of(self.service)
        except (InvalidEnvironmentFile, AccountUnusable) as error:
            raise WorkerFailed(str(error)) from error
        return Launch(
            argv=self._argv(),
            env={**own_environment(owner), "PYTHONUNBUFFERED": "1", **told},
            cwd=self._host.root,
            log=log_file(layout, self.service.name),
            address=address,
            owner=owner,
            enters=(str(layout.worker_sockets(self.service.name)), str(layout.data(self.service.name))),
            secured=self._secured,
        )

    @property
    def _secured(self) -> Callable[[], Secured] | None:
        secured, name, doubted = self._host.secured, self.service.name, isinstance(self.service.runs, Command)
        return None if secured is None else lambda: replace(secured(name), doubted=doubted)

    def _argv(self) -> Sequence[str]:
        match self.service.runs:
            case PythonApp(target=target):
                return (sys.executable, "-m", "protomesh.runtime", target)
            case Command(argv=argv):
                return argv
            case External():
                raise AssertionError("what runs elsewhere is not started")

    def _environment(self, address: UnixAddress, *, attached: bool = False) -> dict[str, str]:
        host = self._host
        return worker_environment(
            self.service,
            str(address),
            host.layout,
            host.root,
            host.environment,
            attached=attached,
            mtls=host.secured is not None,
        )

    async def _report(self) -> None:
        """Tells control which endpoints there are now; the newest list wins whatever the order of the callers.

        Raises:
            WorkerFailed: Envoy did not acknowledge. Control keeps the list and sends it to the next Envoy.
        """
        async with self._reporting:
            request = admin.ReportEndpointsRequest(
                service=self.service.name, endpoints=[admin.Endpoint(address=a, weight=1) for a in self.endpoints]
            )
            try:
                await self._host.admin.ReportEndpoints(request, timeout=_REPORT_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                _log.warning(
                    "endpoints not acknowledged",
                    extra={"service": self.service.name, "code": error.code().name, "details": error.details()},
                )
                if self.endpoints:
                    raise WorkerFailed(f"Envoy did not accept its endpoints: {error.details()}") from error


def _told(service: Service) -> tuple[object, ...]:
    """What its workers are started with, as far as mesh.yaml says it."""
    publishers = service.publishers if service.broker else None  # told of them for a broker's sake only
    events = frozenset(service.subscribes), service.subscribers, publishers, service.broker
    return service.runs, service.env, service.env_file, *events


def _timestamp(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp
