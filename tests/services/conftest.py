"""What the tests of all services use: a clock that stands still, and what an error says."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

import pytest
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs] - googleapis has none
from grpc.aio import AioRpcError
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase

from protomesh.runtime.errors import status_of
from protomesh.runtime.store import Database
from protomesh.runtime.store.tables import metadata
from tests.services.clock import MORNING
from tests.services.forks import Forks


@pytest.fixture(scope="session")
def payments_forks() -> Iterator[Forks]:
    """Starts workers of the payments, to be killed."""
    with Forks("payments") as starting:
        yield starting


@pytest.fixture
def now() -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: MORNING


@pytest.fixture
def kept() -> Callable[[Database, type[DeclarativeBase]], Awaitable[str]]:
    """Everything that a database has, as text: the service's tables and the store's own."""

    async def read(db: Database, base: type[DeclarativeBase]) -> str:
        async with db.read() as tx:
            tables = [*base.metadata.sorted_tables, *metadata.sorted_tables]
            return "".join([str((await tx.execute(select(table))).all()) for table in tables])

    return read


@pytest.fixture
def fields() -> Callable[[AioRpcError], list[str]]:
    """Which fields an INVALID_ARGUMENT is about."""

    def read(error: AioRpcError) -> list[str]:
        assert error.code().name == "INVALID_ARGUMENT", error
        bad = error_details_pb2.BadRequest()
        for detail in status_of(error).details:
            if detail.Unpack(bad):
                return [violation.field for violation in bad.field_violations]
        return []

    return read
