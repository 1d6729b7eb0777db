"""The two services of the conformance tests: one publishes from its outbox, one writes down what it learns."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from bakery.v1 import Baked
from sqlalchemy import text

from protomesh.runtime import App, Mesh, StatusError
from protomesh.runtime.events import Delivery, Retries, on

# So short that a test can wait for a dead letter, and three pauses are far shorter than an outage in a test.
RETRIES = Retries(failures=3, first=timedelta(milliseconds=20), longest=timedelta(milliseconds=200))


class Shelf:
    """Takes loaves, but for those that the table `rules` says something about."""

    @on(Baked)
    async def take(self, event: Baked, delivery: Delivery) -> None:
        """Writes a loaf down."""
        loaf = {"oven": event.oven, "number": event.number}
        rule = await delivery.tx.scalar(text("SELECT rule FROM rules WHERE oven = :oven AND number = :number"), loaf)
        if rule == "poison":
            raise ValueError("no such loaf")
        if rule == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if rule == "closed":
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "the shop is closed")
        await delivery.tx.execute(text("INSERT INTO applied (oven, number) VALUES (:oven, :number)"), loaf)


@asynccontextmanager
async def bakery(mesh: Mesh) -> AsyncGenerator[App]:
    """Its events are written by the tests; its relay delivers them."""
    async with mesh.database():
        yield App(retries=RETRIES)


@asynccontextmanager
async def shelf(mesh: Mesh) -> AsyncGenerator[App]:
    """Learns of loaves."""
    async with mesh.database():
        yield App(consumers=[Shelf()], retries=RETRIES)
