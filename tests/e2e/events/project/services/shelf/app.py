"""Writes down what it learns."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bakery.v1 import LoafBaked
from sqlalchemy import insert

from protomesh.runtime import App, Mesh
from protomesh.runtime.events import Delivery, Retries, on
from services.shelf.store import LOAVES


class Shelf:
    """Takes loaves. Number 13 only where nobody is superstitious: the file `mended` says so."""

    @on(LoafBaked)
    async def take(self, event: LoafBaked, delivery: Delivery) -> None:
        if event.number == 13 and not Path("mended").exists():
            raise ValueError("thirteen")
        row = {"oven": event.oven, "number": event.number, "publisher": delivery.publisher}
        await delivery.tx.execute(insert(LOAVES).values(row))


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Has one consumer."""
    async with mesh.database(migrations="services.shelf"):
        yield App(consumers=[Shelf()], retries=Retries(failures=2, first=timedelta(milliseconds=50)))
