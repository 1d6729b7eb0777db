"""Publishes what it is told to."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from bakery.v1 import BakeRequest, BakeResponse, BakeryServiceServicer, LoafBaked, OvenCooled

from protomesh.runtime import App, Context, Mesh
from protomesh.runtime.events import Retries, publish
from protomesh.runtime.store import Database


class Bakery(BakeryServiceServicer):
    """Publishes a loaf for each number; 0 says that the oven is cold."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def Bake(self, request: BakeRequest, context: Context, /) -> BakeResponse:
        async with self.db.begin() as tx:
            for number in request.numbers:
                event = LoafBaked(oven=request.oven, number=number) if number else OvenCooled(oven=request.oven)
                await publish(tx, event)
        return BakeResponse()


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Two failures make a dead letter."""
    async with mesh.database(migrations="protomesh.runtime.store") as db:
        yield App(Bakery(db), retries=Retries(failures=2, first=timedelta(milliseconds=50)))
