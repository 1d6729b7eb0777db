"""`protomesh dev`: the mesh in this terminal, following what is edited."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import grpc
import watchfiles

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.cli.connection import get_status, wait_ended
from protomesh.cli.down import shut_down, wait_gone
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.generated import generate
from protomesh.cli.logs import show
from protomesh.cli.progress import Progress
from protomesh.cli.project import MESH_YAML, Project, problems_text
from protomesh.cli.up import bring_up
from protomesh.cli.welcome import failure_text, welcome
from protomesh.control.channel import unix_channel
from protomesh.control.tether import hold
from protomesh.diagnostics import InvalidProject
from protomesh.model import Command, Service, Topology

__all__ = ["dev"]

_Phase = admin.Status.Phase
_ARMED = 300  # milliseconds
_LIMIT = 300.0  # seconds for a reload or a restart


def dev(directory: Path | None, environment: str) -> None:
    """Starts the mesh, shows its logs, and applies what is saved, until Ctrl-C; then stops everything.

    The mesh ends with this process, also if that is killed.

    A changed contract or mesh.yaml is reloaded; changed Python restarts the services that it belongs to. An error in
    either is shown, and what runs goes on running.

    Raises:
        Failure: the project is wrong, or the mesh is up already or does not start.
    """
    project = Project.find(directory)
    topology = project.compile(environment).topology
    _generate(project)
    with hold() as tether:
        ended = asyncio.run(_Session(project, environment, tether).run(topology))
    if ended:
        raise Failure("the mesh was ended from elsewhere, or failed: `protomesh logs mesh` says which.")


class _Session:
    """One stay in the foreground."""

    def __init__(self, project: Project, environment: str, tether: int) -> None:
        self._project = project
        self._environment = environment
        self._services: dict[str, Service] = {}
        self._tether = tether

    async def run(self, topology: Topology) -> bool:
        """Returns whether the mesh ended before it was told to here."""
        self._services = dict(topology.services)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        layout = self._project.layout
        if await get_status(layout) is not None:
            raise Failure("the mesh is up already. `protomesh down` stops it, `protomesh logs -f` follows it.")
        pid = 0
        try:
            started = asyncio.create_task(self._start(topology))
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait({started, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not started.done():
                started.cancel()
                await asyncio.gather(started, return_exceptions=True)
                return False
            pid = started.result().pid
            return await self._stay(waiting)
        finally:
            status = await get_status(layout)
            if status is not None:
                print("stopping", flush=True)
                await shut_down(layout)
                await wait_gone(layout, status.pid or pid)

    async def _start(self, topology: Topology) -> admin.Status:
        with Progress(sys.stdout) as progress:
            # What can't start today is mended in the editor and started again when it is saved.
            status, _ = await bring_up(self._project, self._environment, progress, keep_going=True, tether=self._tether)
        if status.phase != _Phase.PHASE_SERVING:
            raise Failure(failure_text(status, self._project, keep_going=True))
        print(welcome(status, topology, self._project, "is up; Ctrl-C stops it"), flush=True)
        print(flush=True)
        return status

    async def _stay(self, stop: "asyncio.Task[bool]") -> bool:
        sources = [name for name, service in self._services.items() if service.supervised]
        following = asyncio.create_task(show(self._project.layout, [*sources, "mesh"], backlog=0))
        watching = asyncio.create_task(self._watch())
        ended = asyncio.create_task(wait_ended(self._project.layout))
        try:
            done, _ = await asyncio.wait({stop, watching, ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            return ended in done
        finally:
            for task in (following, watching, ended):
                task.cancel()
            await asyncio.gather(following, watching, ended, return_exceptions=True)

    async def _watch(self) -> None:
        root = self._project.root
        names = [name for name in ("protos", *_source_folders(root)) if (root / name).exists()]
        files = [root / MESH_YAML, *root.glob("mesh.*.yaml")]
        armed = False
        # It yields nothing now and then: the first time says that from now on nothing is missed.
        async for changes in watchfiles.awatch(
            *(root / name for name in names),
            *files,
            watch_filter=_Interesting(),
            rust_timeout=_ARMED,
            yield_on_timeout=True,
        ):
            if not armed:
                armed = True
                _say(f"watching {', '.join([*names, MESH_YAML])}")
            if changes:
                await self._apply({Path(path) for _, path in changes})

    async def _apply(self, paths: set[Path]) -> None:
        root = self._project.root
        configuration = any(path.suffix in {".proto", ".yaml"} for path in paths)
        python = {path.relative_to(root).as_posix() for path in paths if path.suffix == ".py"}
        async with unix_channel(self._project.layout.admin_socket) as channel:
            mesh = AdminServiceStub(channel)
            if configuration and not await self._reload(mesh):
                return
            # New contracts mean new stubs, and those are imported once.
            restarted = set(self._services) if any(path.suffix == ".proto" for path in paths) else set()
            restarted |= {name for name, service in self._services.items() if _belongs(service, python)}
            for name in sorted(restarted):
                if self._services[name].supervised:
                    await _attempt(f"restarted {name}", lambda name=name: _restart(mesh, name))  # type: ignore[misc]

    async def _reload(self, mesh: AdminServiceStub) -> bool:
        try:
            await asyncio.to_thread(_generate, self._project)
            topology = await asyncio.to_thread(lambda: self._project.compile(self._environment).topology)
        except Failure as failure:
            _say(failure.text)
            return False
        self._services = dict(topology.services)
        return await _attempt("reloaded", lambda: _reload(mesh))


class _Interesting(watchfiles.DefaultFilter):
    """What a person edits: contracts, YAML, Python."""

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        return path.endswith((".proto", ".yaml", ".py")) and super().__call__(change, path)


async def _reload(mesh: AdminServiceStub) -> str:
    response = await mesh.Reload(admin.ReloadRequest(), timeout=_LIMIT)
    return ", ".join(response.changes) or "nothing to restart"


async def _restart(mesh: AdminServiceStub, name: str) -> str:
    await mesh.RestartService(admin.RestartServiceRequest(service=name), timeout=_LIMIT)
    return ""


async def _attempt(what: str, action: Callable[[], Awaitable[str]]) -> bool:
    """Says what was done or why it could not be. An error of the user's code is no end of the session."""
    try:
        details = await action()
    except grpc.aio.AioRpcError as error:
        _say(error.details() or error.code().name)
        return False
    _say(f"{what}{f': {details}' if details else ''}")
    return True


def _say(text: str) -> None:
    print("\n".join(f"protomesh | {line}" for line in text.splitlines()), flush=True)


def _belongs(service: Service, changed: Iterable[str]) -> bool:
    """Whether a changed file is the service's: it lies below the folder of its composition root."""
    if isinstance(service.runs, Command):
        return False
    folder = getattr(service.runs, "target", "").partition(":")[0].rpartition(".")[0].replace(".", "/")
    return any(path.startswith(f"{folder}/") or ("/" not in folder and path.startswith(folder)) for path in changed)


def _source_folders(root: Path) -> list[str]:
    """The folders that hold Python of the project's own."""
    skipped = {"generated", "protos", "tests", "build", "node_modules"}
    return sorted(
        path.name
        for path in root.iterdir()
        if path.is_dir() and path.name not in skipped and path.name[0] != "." and any(path.rglob("*.py"))
    )


def _generate(project: Project) -> None:
    """Brings the stubs up to date.

    Raises:
        Failure: a contract is wrong.
    """
    try:
        generate(project)
    except InvalidProject as invalid:
        raise Failure(problems_text(list(map(str, invalid.problems))), ExitCode.INVALID) from invalid
