"""The pytest plugin: loaded wherever Protomesh is installed, so it imports what it needs only when a test asks."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # without the extra `testing` no async test runs, and nobody can ask for an async fixture
    async_fixture = pytest.fixture  # type: ignore[assignment] # used without arguments, the two are alike

if TYPE_CHECKING:
    from protomesh.testing.database import Databases, Templates
    from protomesh.testing.mesh import RunningMesh

__all__ = ["database", "database_templates", "mesh"]


@pytest.fixture(scope="session")
def database_templates(tmp_path_factory: pytest.TempPathFactory) -> "Templates":
    """Migrated databases to copy: each service's migrations run once a session."""
    from protomesh.testing.database import Templates  # noqa: PLC0415 - see the module

    return Templates(tmp_path_factory.mktemp("databases"))


@async_fixture
async def database(database_templates: "Templates", tmp_path: Path) -> "AsyncGenerator[Databases]":
    """Makes migrated databases of the test's own; the test awaits one by the name of its service's package.

    `db = await database("services.catalog")`; see `protomesh.testing.database.Databases`. Needs the extra
    `protomesh[store]`.
    """
    from protomesh.testing.database import databases  # noqa: PLC0415 - see the module

    async with databases(database_templates, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def mesh(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> "Generator[RunningMesh]":
    """The project that is tested, up behind a real Envoy: started once a session, when a test first asks.

    See `protomesh.testing.mesh.RunningMesh`. Needs the extra `protomesh[mesh]`.
    """
    from protomesh.testing.mesh import started  # noqa: PLC0415 - see the module

    with started(pytestconfig.rootpath, tmp_path_factory.mktemp("mesh")) as running:
        yield running
