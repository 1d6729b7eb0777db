"""The orders, with stand-ins for what they call."""

import itertools
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from protomesh.runtime.store import Database
from protomesh.testing.database import Databases, FileTemplates, databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.orders.checkout import Checkout
from services.orders.service import Orders
from shop.catalog.v1 import CatalogServiceStub
from shop.orders.v1 import (
    OrdersServiceStub,
)
from tests.services.clock import Clock
from tests.services.orders.stand_ins import ALICE, LEASE, Till, Warehouse, priced


@pytest.fixture
async def db(database: Databases) -> Database:
    """A database without orders."""
    return await database("services.orders")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> FileTemplates:
    """Migrated databases of services whose kind of database does not matter to a test."""
    return FileTemplates(tmp_path_factory.mktemp("others"))


@pytest.fixture
async def others(templates: FileTemplates, tmp_path: Path) -> AsyncGenerator[Databases]:
    """Databases of the services around the one that is tested: always SQLite."""
    (tmp_path / "others").mkdir()
    async with databases(templates, tmp_path / "others") as made:
        yield made


@pytest.fixture
def catalog() -> Fake[CatalogServiceStub]:
    """A catalog with three products in euros and one in dollars."""
    fake = Fake(CatalogServiceStub)
    fake.on(fake.stub.GetProduct).returns(priced)
    return fake


@pytest.fixture
def warehouse() -> Warehouse:
    """An inventory that has everything."""
    return Warehouse()


@pytest.fixture
def tokens() -> Iterator[str]:
    """Ids that count up."""
    return (f"{number:04}" for number in itertools.count(1))


@pytest.fixture
def till() -> Till:
    """Payments that take any card."""
    return Till()


@pytest.fixture
def clock() -> Clock:
    """The orders' clock."""
    return Clock()


@pytest.fixture
def checkout(db: Database, warehouse: Warehouse, till: Till, clock: Clock) -> Checkout:
    """What brings orders to their end."""
    return Checkout(db, warehouse.fake.stub, till.fake.stub, clock, LEASE)


@pytest.fixture
def servicer(
    db: Database, catalog: Fake[CatalogServiceStub], checkout: Checkout, clock: Clock, tokens: Iterator[str]
) -> Orders:
    """The service itself."""
    return Orders(db, catalog.stub, checkout, clock, lambda: next(tokens))


@pytest.fixture
async def orders(servicer: Orders) -> AsyncGenerator[OrdersServiceStub]:
    """A client of it, for Alice."""
    async with serving(servicer, OrdersServiceStub, user=ALICE) as client:
        yield client
