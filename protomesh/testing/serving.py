"""A servicer behind real gRPC, in the test's own process."""

import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from grpc import aio

from protomesh.runtime.client import MeshChannel
from protomesh.runtime.current import Metadatum
from protomesh.runtime.server import Server
from protomesh.runtime.user import CALLER, User
from protomesh.testing.stage import stage

__all__ = ["serving"]

StubT = TypeVar("StubT")


@asynccontextmanager
async def serving(
    servicer: object, stub: Callable[[aio.Channel], StubT], *, user: User | None = None, caller: str | None = None
) -> AsyncGenerator[StubT]:
    """Serves one servicer on a unix socket and gives a client of it, as the mesh would.

        async with serving(Inventory(db, catalog.stub), InventoryServiceStub, user=User("alice")) as inventory:
            await inventory.Reserve(...)

    Deadlines, validation and declared errors hold as the contract says. At the end of the block what is in progress
    is cancelled, work that is detached is let finish, and every `Fake` ends that nothing needs any more.

    Args:
        servicer: An object of a class that derives from a generated servicer.
        stub: The stub to call it with.
        user: On whose behalf the client calls.
        caller: Which service of the mesh the client pretends to be.

    Raises:
        TypeError: the servicer lacks a method of its contract.
        AssertionError: a `Fake` got a call that the test did not prepare.
    """
    async with stage().block(), _served(servicer) as target, aio.insecure_channel(target) as channel:
        yield MeshChannel(lambda _service: channel, metadata=identity(user, caller)).stub(stub)


@asynccontextmanager
async def _served(servicer: object) -> AsyncGenerator[str]:
    server = Server([servicer])
    with tempfile.TemporaryDirectory(prefix="pm-") as directory:
        target = server.listen(f"unix:{directory}/s")
        await server.start()
        try:
            yield target
        finally:
            await server.drain(timedelta(0))


def identity(user: User | None, caller: str | None) -> Iterator[Metadatum]:
    """The metadata with which Envoy would say who calls."""
    if user is not None:
        yield from user.metadata()
    if caller is not None:
        yield CALLER, caller
