"""One worker: the process that serves a service until it is told to end."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path

import structlog

from protomesh.runtime.app import App
from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.eventful import bound_to, events_of
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.launch import Launch
from protomesh.runtime.mesh import Mesh
from protomesh.runtime.server import Server

__all__ = ["CompositionRoot", "NoApp", "find", "serve"]

CompositionRoot = Callable[[Mesh], AbstractAsyncContextManager[App]]
_log = structlog.get_logger("protomesh.runtime")
_STUBS = Path("generated/python")  # of the project, whose directory a worker runs in


class NoApp(CannotStart):
    """`run:` of mesh.yaml names nothing that makes an App."""


def find(reference: str) -> CompositionRoot:
    """Imports a composition root, named as mesh.yaml does: `services.catalog.app:app`.

    Raises:
        NoApp: there is no such module or name. An error inside the module is raised as it is.
    """
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise NoApp(f"{reference!r} is not MODULE:NAME, as services.catalog.app:app")
    for place in ("", str(_STUBS.resolve())):  # the project's directory, as `python -m` has it, and its stubs
        if place not in sys.path:
            sys.path.insert(0, place)
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise NoApp(f"there is no module {error.name} to run {reference} from") from None
        raise  # something that the module imports is missing
    if not callable(found):
        raise NoApp(f"{module} has no {name} that makes an App; write `async def {name}(mesh: Mesh)` there")
    composition_root: CompositionRoot = found
    return composition_root


async def serve(root: CompositionRoot, launch: Launch) -> None:
    """Serves until SIGTERM or SIGINT, then drains. A second signal ends what is still in progress at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    launch.data.mkdir(parents=True, exist_ok=True)
    async with Mesh(launch) as mesh, root(mesh) as app:
        bound_to(mesh, launch)
        events = events_of(app, mesh, launch)
        server = Server([*app.servicers, *events.servicers], deadlines=launch.deadlines)
        address = server.listen(launch.listen, launch.tls.server_credentials() if launch.tls else None)
        await server.start()
        async with Jobs([*app.jobs, *events.jobs], launch.data, mesh.opened), events.relayed():
            _log.info("serving", address=address, rpc_services=list(server.services))
            await stopping.wait()
            _log.info("draining")
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            await server.drain()
    _log.info("ended")
