"""What a worker of the orders is made of."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, Mesh, every
from protomesh.runtime.store import forgetting_answers
from services.orders.checkout import Checkout
from services.orders.service import Orders
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import InventoryServiceStub
from shop.payments.v1 import PaymentsServiceStub


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSettings:
    """What an operator may set."""

    checkout_lease: timedelta = timedelta(seconds=10)  # CHECKOUT_LEASE: when an order that got stuck is carried on


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the orders on their own database, with the catalog, the inventory and the payments to ask."""
    settings = mesh.settings(OrdersSettings)

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.orders") as db:
        checkout = Checkout(
            db,
            mesh.client(InventoryServiceStub),
            mesh.client(PaymentsServiceStub),
            now,
            lease=settings.checkout_lease,
        )
        yield App(
            Orders(db, mesh.client(CatalogServiceStub), checkout, now=now, token=lambda: secrets.token_hex(6)),
            jobs=[
                forgetting_answers(db, now),
                every(timedelta(seconds=1), checkout.resume, one_worker=True, name="resume_checkouts"),
            ],
        )
