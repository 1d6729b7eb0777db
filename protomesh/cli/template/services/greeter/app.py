"""The composition root: the one place that builds what the service needs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from protomesh.runtime import App, Mesh
from services.greeter.service import Greeter


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves. Other services are reached by `mesh.client(TheirStub)`."""
    yield App(Greeter())
