"""A control plane with a real Envoy: what most tests here begin with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from protomesh.control.controller import Controller
from protomesh.model import Layout, Topology
from protomesh.proxy import EnvoyProcess, Schemas, find
from protomesh.targets.envoy import bootstrap


@dataclass(frozen=True)
class Plane:
    """A controller that serves ADS below a run directory."""

    layout: Layout
    controller: Controller

    @asynccontextmanager
    async def envoy(self, topology: Topology) -> AsyncIterator[EnvoyProcess]:
        """An Envoy that takes its configuration from the controller, for as long as the block; it is live."""
        process = await EnvoyProcess.start(find(), bootstrap(topology, self.layout, {}), self.layout, concurrency=1)
        try:
            await process.wait_live()
            yield process
        finally:
            await process.stop()


@asynccontextmanager
async def plane(run: Path, schemas: Schemas) -> AsyncIterator[Plane]:
    """Nothing is applied yet."""
    layout = Layout(run=PurePosixPath(run), state=PurePosixPath(run) / ".protomesh")
    controller = Controller(find(), schemas, layout)
    await controller.start()
    try:
        yield Plane(layout, controller)
    finally:
        await controller.stop()
