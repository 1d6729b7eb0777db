"""The admin API on a unix socket, with real clients, for a mesh that does what a test tells it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub, add_AdminServiceServicer_to_server
from protomesh.control.admin import AdminServicer
from protomesh.control.channel import unix_channel
from protomesh.control.ports import PortTaken
from protomesh.control.run_status import Phase, RunStatus
from protomesh.diagnostics import InvalidProject, Problems
from protomesh.model import Endpoint, Origin, UnixAddress
from protomesh.supervisor import (
    Agent,
    AlreadyAttached,
    Attachment,
    RunDirectoryRefused,
    ServicesFailed,
    UnknownService,
    WorkerFailed,
)

Code = grpc.StatusCode


class Workers:
    """An agent with one service, `stock`, whose every step a test can hold and see."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.failure: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def restart(self, name: str) -> None:
        self._known(name)
        self.events.append("restarting")
        await self.may_go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.events.append("restarted")

    @asynccontextmanager
    async def attach(self, name: str) -> AsyncIterator[Attachment]:
        self._known(name)
        if self.failure is not None:
            raise self.failure
        try:
            yield Attachment({"PROTOMESH_LISTEN": "unix:/run/a.sock"}, UnixAddress("/run/a.sock"))
        finally:
            self.events.append("closed")

    async def wait_attached(self, name: str, attachment: Attachment) -> None:  # noqa: ARG002 - the agent's parameters
        await self.may_go_on.wait()
        self.events.append("attached")

    async def detach(self, name: str) -> None:  # noqa: ARG002 - likewise
        self.events.append("detached")

    def _known(self, name: str) -> None:
        if name != "stock":
            raise UnknownService(name)


class Mesh:
    """A mesh that serves."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.agent = cast("Agent | None", self.workers)
        self.endpoints: dict[str, Sequence[Endpoint]] = {}
        self.failure: Exception | None = None
        self.state = RunStatus()
        self.state.enter(Phase.PHASE_SERVING)

    def status(self) -> admin.Status:
        return self.state.message(None, [])

    def wait_changed(self) -> Coroutine[Any, Any, object]:
        return self.state.wait_changed()

    async def set_endpoints(self, service: str, endpoints: Sequence[Endpoint]) -> None:
        if self.failure is not None:
            raise self.failure
        self.endpoints[service] = endpoints

    async def suspend(self, service: str) -> None:
        self.workers.events.append(f"suspended {service}")

    async def resume(self, service: str) -> None:
        self.workers.events.append(f"resumed {service}")

    async def reload(self) -> list[str]:
        if self.failure is not None:
            raise self.failure
        return ["restarted stock"]

    def shut_down(self) -> None:
        self.state.enter(Phase.PHASE_STOPPING)


@pytest.fixture
def mesh() -> Mesh:
    """The mesh that is asked."""
    return Mesh()


@pytest.fixture
def servicer(mesh: Mesh) -> AdminServicer:
    """What answers for it."""
    return AdminServicer(mesh)


@pytest.fixture
async def api(servicer: AdminServicer, run_directory: Path) -> AsyncGenerator[AdminServiceStub]:
    """A client of it."""
    server = grpc.aio.server()
    add_AdminServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{run_directory}/admin.sock")
    await server.start()
    async with unix_channel(f"{run_directory}/admin.sock") as channel:
        yield AdminServiceStub(channel)
    await server.stop(0)


async def failure_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a unary call failed."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(call, 10)
    return failed.value.code(), failed.value.details() or ""


async def until(mesh: Mesh, event: str) -> None:
    """Waits until something has happened."""
    async with asyncio.timeout(10):
        while event not in mesh.workers.events:
            await asyncio.sleep(0.01)


async def test_who_watches_sees_each_change_once(api: AdminServiceStub, mesh: Mesh) -> None:
    """The status now, then each that reads differently; a failure is the last word."""
    stream: Any = api.WatchStatus(admin.WatchStatusRequest())
    seen = [(await stream.read()).status.phase]
    mesh.state.notify()  # nothing reads differently
    mesh.state.enter(Phase.PHASE_STOPPING)
    seen.append((await stream.read()).status.phase)
    mesh.state.fail(PortTaken("it is taken"))
    seen.append((await stream.read()).status.phase)

    assert seen == [Phase.PHASE_SERVING, Phase.PHASE_STOPPING, Phase.PHASE_FAILED]
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is Code.OK
    assert (await api.GetStatus(admin.GetStatusRequest())).status.failure == "it is taken"


async def test_who_watches_is_let_go_at_the_end(api: AdminServiceStub, servicer: AdminServicer) -> None:
    """The stream ends by itself, so that nobody waits for it."""
    stream = api.WatchStatus(admin.WatchStatusRequest())
    await stream.read()

    servicer.close()

    assert await asyncio.wait_for(stream.read(), 10) is grpc.aio.EOF
    assert await stream.code() is Code.OK


async def test_endpoints_are_handed_on(api: AdminServiceStub, mesh: Mesh) -> None:
    """A weight that is not given is 1."""
    endpoints = [admin.Endpoint(address="unix:/run/a.sock"), admin.Endpoint(address="127.0.0.1:9000", weight=3)]

    await api.ReportEndpoints(admin.ReportEndpointsRequest(service="stock", endpoints=endpoints))

    reported = [(str(endpoint.address), endpoint.weight) for endpoint in mesh.endpoints["stock"]]
    assert reported == [("unix:/run/a.sock", 1), ("127.0.0.1:9000", 3)]


@pytest.mark.parametrize(
    ("address", "failure", "expected"),
    [
        ("nowhere", None, Code.INVALID_ARGUMENT),
        ("unix:/run/a.sock", KeyError("stock"), Code.NOT_FOUND),
        ("unix:/run/a.sock", TimeoutError("Envoy does not answer"), Code.DEADLINE_EXCEEDED),
    ],
)
async def test_endpoints_that_can_not_be_used_are_refused(
    api: AdminServiceStub, mesh: Mesh, address: str, failure: Exception | None, expected: grpc.StatusCode
) -> None:
    """An agent has to know whether to try again."""
    mesh.failure = failure
    request = admin.ReportEndpointsRequest(service="stock", endpoints=[admin.Endpoint(address=address)])

    code, _ = await failure_of(api.ReportEndpoints(request))

    assert code is expected


async def test_a_failed_restart_says_what_serves_and_what_was_logged(api: AdminServiceStub, mesh: Mesh) -> None:
    """The person who asked sees the reason without opening a log."""
    mesh.workers.failure = WorkerFailed("exited with status 3", ["started", "no database"])

    code, details = await failure_of(api.RestartService(admin.RestartServiceRequest(service="stock")))

    assert code is Code.FAILED_PRECONDITION
    assert details == "stock exited with status 3; the old workers serve on\nstarted\nno database"


async def test_a_restart_is_finished_though_nobody_waits_for_it(api: AdminServiceStub, mesh: Mesh) -> None:
    """The terminal that asked for it was closed in the middle."""
    mesh.workers.may_go_on.clear()
    call = api.RestartService(admin.RestartServiceRequest(service="stock"))
    asking = asyncio.ensure_future(failure_of(call))
    await until(mesh, "restarting")

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    mesh.workers.may_go_on.set()

    await until(mesh, "restarted")


@pytest.mark.parametrize("phase", [Phase.PHASE_STARTING, Phase.PHASE_STOPPING])
async def test_only_a_mesh_that_serves_is_changed(
    api: AdminServiceStub, mesh: Mesh, phase: "admin.Status.Phase.ValueType"
) -> None:
    """Restart, reload and attach are refused alike, with a text."""
    mesh.state.enter(phase)

    for call in (
        api.RestartService(admin.RestartServiceRequest(service="stock")),
        api.Reload(admin.ReloadRequest()),
        api.AttachWorker(admin.AttachWorkerRequest(service="stock")).read(),
    ):
        assert await failure_of(call) == (Code.FAILED_PRECONDITION, "the mesh is not serving yet, or stops")
    assert mesh.workers.events == []


async def test_an_unknown_service_is_not_found(api: AdminServiceStub) -> None:
    """By its name."""
    for call in (
        api.RestartService(admin.RestartServiceRequest(service="sock")),
        api.AttachWorker(admin.AttachWorkerRequest(service="sock")).read(),
    ):
        assert await failure_of(call) == (Code.NOT_FOUND, "the mesh runs no service sock")


async def test_a_terminal_has_a_service_for_as_long_as_it_is_there(api: AdminServiceStub, mesh: Mesh) -> None:
    """Deadlines are off before its worker serves; when it goes, calls go back first."""
    mesh.workers.may_go_on.clear()
    stream: Any = api.AttachWorker(admin.AttachWorkerRequest(service="stock"))
    assert dict((await stream.read()).environment) == {"PROTOMESH_LISTEN": "unix:/run/a.sock"}
    await until(mesh, "suspended stock")
    mesh.workers.may_go_on.set()
    assert (await stream.read()).attached

    stream.cancel()

    await until(mesh, "closed")
    assert mesh.workers.events == ["suspended stock", "attached", "detached", "resumed stock", "closed"]


@pytest.mark.parametrize("serves", [False, True])
async def test_a_terminal_is_let_go_when_the_mesh_ends(api: AdminServiceStub, mesh: Mesh, serves: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Also one whose worker does not serve yet. A policy is not put in order in a mesh that ends."""
    if not serves:
        mesh.workers.may_go_on.clear()
    stream: Any = api.AttachWorker(admin.AttachWorkerRequest(service="stock"))
    await stream.read()
    await until(mesh, "attached" if serves else "suspended stock")
    if serves:
        await stream.read()

    await api.Shutdown(admin.ShutdownRequest())

    assert await failure_of(stream.read()) == (Code.UNAVAILABLE, "the mesh ends")
    assert mesh.workers.events[-2:] == ["detached", "closed"]


async def test_a_second_terminal_is_told(api: AdminServiceStub, mesh: Mesh) -> None:
    """The first one keeps the service."""
    mesh.workers.failure = AlreadyAttached("stock")

    call = api.AttachWorker(admin.AttachWorkerRequest(service="stock")).read()

    assert await failure_of(call) == (Code.FAILED_PRECONDITION, "another terminal runs stock")


async def test_a_reload_says_what_it_did(api: AdminServiceStub) -> None:
    """For people."""
    assert list((await api.Reload(admin.ReloadRequest())).changes) == ["restarted stock"]


async def test_a_reload_of_a_wrong_project_lists_every_problem(api: AdminServiceStub, mesh: Mesh) -> None:
    """One a line, each with its place."""
    problems = Problems()
    for line in (2, 7):
        problems.error(Origin(file="mesh.yaml", line=line), "UNKNOWN_KEY", "no such key", "Remove it.")
    mesh.failure = InvalidProject(problems)

    code, details = await failure_of(api.Reload(admin.ReloadRequest()))

    assert code is Code.INVALID_ARGUMENT
    assert [line.split(": ")[0] for line in details.splitlines()] == ["mesh.yaml:2:1", "mesh.yaml:7:1"]


@pytest.mark.parametrize(
    "failure",
    [
        PortTaken("the port is taken"),
        RunDirectoryRefused("the name is too long"),
        ServicesFailed({"stock": WorkerFailed("exited")}),
    ],
)
async def test_a_reload_that_can_not_be_done_says_why(api: AdminServiceStub, mesh: Mesh, failure: Exception) -> None:
    """The texts are for the user."""
    mesh.failure = failure

    assert await failure_of(api.Reload(admin.ReloadRequest())) == (Code.FAILED_PRECONDITION, str(failure))
