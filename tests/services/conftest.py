"""What the tests of all services use: databases of their own, a clock that stands still, what an error says."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs] - googleapis has none
from grpc.aio import AioRpcError

from protomesh.runtime.errors import status_of
from protomesh.testing.database import Databases, Templates, databases

MORNING = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Each service's migrations, run once."""
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
async def database(templates: Templates, tmp_path: Path) -> AsyncGenerator[Databases]:
    """Makes new databases: a test awaits `database` with the name of a service's package."""
    async with databases(templates, tmp_path) as made:
        yield made


@pytest.fixture
def now() -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: MORNING


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
