"""What a worker of the inventory is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, InvalidSettings, Mesh, every
from protomesh.runtime.store import forgetting_answers
from services.inventory.expiry import expire_reservations
from services.inventory.forgetting import forget_reservations
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySettings:
    """What an operator may set.

    Raises:
        InvalidSettings: No order could be paid in that time, or cancelled.
    """

    reservation_lifetime: timedelta = timedelta(minutes=15)  # RESERVATION_LIFETIME: how long stock is held for an order
    confirmed_kept: timedelta = timedelta(days=90)  # CONFIRMED_KEPT: how long what has left can come back

    def __post_init__(self) -> None:
        if self.reservation_lifetime < timedelta(seconds=1):
            raise InvalidSettings("RESERVATION_LIFETIME has to be a second or more")
        if self.confirmed_kept < timedelta(hours=1):
            raise InvalidSettings("CONFIRMED_KEPT has to be an hour or more")


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the inventory on its own database, with the catalog to ask."""
    settings = mesh.settings(InventorySettings)

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.inventory") as db:

        async def expire() -> None:
            await expire_reservations(db, now)

        async def forget() -> None:
            await forget_reservations(db, now, settings.confirmed_kept)

        yield App(
            Inventory(db, mesh.client(CatalogServiceStub), now, settings.reservation_lifetime),
            jobs=[
                forgetting_answers(db, now),
                every(timedelta(seconds=5), expire, one_worker=True, name="expire_reservations"),
                every(timedelta(hours=1), forget, one_worker=True, name="forget_reservations"),
            ],
        )
