"""An inventory with everything that a worker gives it, but for time and the catalog."""

from collections.abc import AsyncGenerator

import pytest

from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub, GetProductResponse, Product
from shop.inventory.v1 import InventoryServiceStub
from tests.services.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
async def db(database: Databases) -> Database:
    """The inventory's database as the shop opens with it."""
    return await database("services.inventory")


@pytest.fixture
def catalog() -> Fake[CatalogServiceStub]:
    """A catalog that sells everything."""
    fake = Fake(CatalogServiceStub)
    fake.on(fake.stub.GetProduct).returns(
        lambda request: GetProductResponse(product=Product(product_id=request.product_id, sellable=True))
    )
    return fake


@pytest.fixture
async def inventory(
    db: Database, catalog: Fake[CatalogServiceStub], clock: Clock
) -> AsyncGenerator[InventoryServiceStub]:
    """A client of an inventory."""
    async with serving(Inventory(db, catalog.stub, clock), InventoryServiceStub) as client:
        yield client
