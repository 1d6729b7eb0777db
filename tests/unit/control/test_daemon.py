"""A run that ends before there is an Envoy: what it says, and what it leaves."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.contract import Compilation, compile_project
from protomesh.control import daemon
from protomesh.control.channel import unix_channel
from protomesh.control.daemon import Daemon
from protomesh.control.lock import AlreadyRunning, exclusive
from protomesh.control.run_status import Phase
from protomesh.model import Layout
from protomesh.supervisor import RunDirectoryRefused, claim, layout_for
from tests.unit.conftest import Compile


@pytest.fixture
def root(tmp_path: Path, run_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project directory without a project; its mesh writes files for itself alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run_directory))
    umask = os.umask(0o022)
    yield tmp_path
    os.umask(umask)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def layout(root: Path) -> Layout:
    """Where its mesh has its sockets."""
    return layout_for(root)


@pytest.fixture
def may_read(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The daemon reads the project when this is set: until then it starts."""
    event = threading.Event()

    def compile_then(root: Path, *, environment: str) -> Compilation:
        assert event.wait(30)
        return compile_project(root, environment=environment)

    monkeypatch.setattr(daemon, "compile_project", compile_then)
    return event


@asynccontextmanager
async def starting(
    mesh: Daemon, layout: Layout, may_read: threading.Event
) -> AsyncGenerator[tuple["asyncio.Task[int]", AdminServiceStub]]:
    """A daemon that starts, and a client of its admin API. It has ended after the block."""
    running = asyncio.create_task(mesh.run())
    try:
        async with asyncio.timeout(10):
            while not Path(layout.admin_socket).exists():
                await asyncio.sleep(0.01)
        async with unix_channel(layout.admin_socket) as channel:
            yield running, AdminServiceStub(channel)
    finally:
        mesh.shut_down()
        await asyncio.wait_for(running, 20)
        may_read.set()


async def failure_of(root: Path, layout: Layout, may_read: threading.Event) -> str:
    """Runs the project, which does not start; returns what it says to who watches."""
    async with starting(Daemon(root), layout, may_read) as (running, api):
        stream: Any = api.WatchStatus(admin.WatchStatusRequest())
        assert (await stream.read()).status.phase == Phase.PHASE_STARTING
        may_read.set()
        last: admin.Status | None = None
        async with asyncio.timeout(30):
            while (response := await stream.read()) is not grpc.aio.EOF:
                last = response.status
        assert await asyncio.wait_for(asyncio.shield(running), 20) == 1
    assert last is not None
    assert last.phase == Phase.PHASE_FAILED
    assert not Path(layout.run).exists()
    return last.failure


async def test_a_wrong_project_is_told_to_whoever_started_it(
    root: Path, layout: Layout, may_read: threading.Event
) -> None:
    """Every problem, by the admin API, which is there before anything is read."""
    (root / "mesh.yaml").write_text("name: wrong\nservice: {}\ngateway: []\n")

    failure = await failure_of(root, layout, may_read)

    assert [line.split(": ")[0] for line in failure.splitlines()] == ["mesh.yaml:2:1", "mesh.yaml:3:1", "protos:1:1"]


async def test_a_taken_port_is_told_before_anything_starts(
    compile_shop: Compile, root: Path, layout: Layout, may_read: threading.Event
) -> None:
    """With the key to change."""
    compile_shop()
    mesh = root / "mesh.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        mesh.write_text(mesh.read_text().replace("18080", str(port)))

        failure = await failure_of(root, layout, may_read)

    assert failure.startswith(f"127.0.0.1:{port} is taken by ")
    assert "change `listen` at mesh.yaml:2" in failure


async def test_a_missing_envoy_is_told(
    compile_shop: Compile, root: Path, layout: Layout, may_read: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable that named it."""
    compile_shop()
    monkeypatch.setenv("PROTOMESH_ENVOY", "/nowhere/envoy")

    assert "/nowhere/envoy" in await failure_of(root, layout, may_read)


async def test_one_mesh_for_each_project(root: Path, layout: Layout) -> None:
    """The second one leaves the first one's run directory alone."""
    claim(layout)
    with exclusive(layout):
        with pytest.raises(AlreadyRunning):
            await Daemon(root).run()
        assert Path(layout.run).is_dir()


async def test_a_run_directory_that_is_not_ours_is_refused(root: Path, layout: Layout) -> None:
    """Before anything is written into it."""
    Path(layout.run).parent.mkdir(parents=True)
    Path(layout.run).write_text("a file")

    with pytest.raises(RunDirectoryRefused, match="is not a directory"):
        await Daemon(root).run()


@pytest.mark.parametrize(
    "end",
    [
        lambda _: os.kill(os.getpid(), signal.SIGTERM),
        lambda _: os.kill(os.getpid(), signal.SIGHUP),
        os.close,
    ],
    ids=["SIGTERM", "SIGHUP", "the tether"],
)
async def test_a_start_is_given_up(
    root: Path, layout: Layout, may_read: threading.Event, end: Callable[[int], None]
) -> None:
    """Whoever ends it: nothing stays, and the exit code is that of an end that was asked for."""
    mesh_end, held = os.pipe()
    mesh = Daemon(root, tether=mesh_end)
    async with starting(mesh, layout, may_read) as (running, api):
        assert (await api.GetStatus(admin.GetStatusRequest())).status.phase == Phase.PHASE_STARTING
        end(held)
        assert await asyncio.wait_for(asyncio.shield(running), 20) == 0

    assert not Path(layout.run).exists()


async def test_only_its_owner_can_ask_it(root: Path, layout: Layout, may_read: threading.Event) -> None:
    """The socket of the admin API has mode 0600 in a directory of mode 0700, and is nobody else's from the first."""
    async with starting(Daemon(root), layout, may_read):
        socket = Path(layout.admin_socket)
        assert Path(layout.run).stat().st_mode & 0o777 == 0o700
        async with asyncio.timeout(10):
            while (mode := socket.stat().st_mode & 0o777) != 0o600:
                assert not mode & 0o077
                await asyncio.sleep(0)
