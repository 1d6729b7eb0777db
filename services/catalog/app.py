"""What a worker of the catalog is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from protomesh.runtime import App, Mesh
from services.catalog.service import Catalog


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the catalog on its own database."""
    async with mesh.database(migrations="services.catalog") as db:
        yield App(Catalog(db, now=lambda: datetime.now(UTC)))
