"""What a worker of the orders is made of."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, Mesh, every
from protomesh.runtime.store import forget
from services.orders.service import Orders
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import InventoryServiceStub

# How long a repeat gets the first answer. Nobody repeats a request a week later.
_REMEMBERED = timedelta(days=7)


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the orders on their own database, with the catalog to ask and the inventory to hold stock."""

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.orders") as db:

        async def forget_answers() -> None:
            await forget(db, before=now() - _REMEMBERED)

        yield App(
            Orders(
                db,
                mesh.client(CatalogServiceStub),
                mesh.client(InventoryServiceStub),
                now=now,
                token=lambda: secrets.token_hex(6),
            ),
            jobs=[every(timedelta(hours=1), forget_answers, one_worker=True, name="forget_answers")],
        )
