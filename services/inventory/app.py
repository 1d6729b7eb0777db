"""What a worker of the inventory is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, Mesh, every
from protomesh.runtime.store import forget
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub

# How long a repeat gets the first answer. Nobody repeats a request a week later.
_REMEMBERED = timedelta(days=7)


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the inventory on its own database, with the catalog to ask."""

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.inventory") as db:

        async def forget_answers() -> None:
            await forget(db, before=now() - _REMEMBERED)

        yield App(
            Inventory(db, mesh.client(CatalogServiceStub), now),
            jobs=[every(timedelta(hours=1), forget_answers, one_worker=True, name="forget_answers")],
        )
