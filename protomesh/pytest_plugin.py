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
    from protomesh.testing.postgresql import PostgreSQL

__all__ = ["database", "database_kind", "database_templates", "mesh", "postgresql_server"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the setting that names the kinds of database to test on."""
    parser.addini(
        "protomesh_databases",
        "the kinds of database that tests with `database` run on: sqlite, postgresql",
        type="args",
        default=["sqlite"],
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what needs a database once for each kind."""
    if "database_kind" in metafunc.fixturenames:
        kinds = list(metafunc.config.getini("protomesh_databases"))
        if len(kinds) > 1:  # with one, a test keeps its name
            metafunc.parametrize("database_kind", kinds, scope="session", indirect=True)


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`: what `protomesh_databases` in pytest's configuration names, each in turn."""
    kind: str = getattr(request, "param", None) or request.config.getini("protomesh_databases")[0]
    if kind not in {"sqlite", "postgresql"}:
        raise pytest.UsageError(f"protomesh_databases names {kind!r}; there are sqlite and postgresql")
    return kind


@pytest.fixture(scope="session")
def postgresql_server() -> "Generator[PostgreSQL]":
    """A PostgreSQL of the session's own, started when a test first asks. Needs the extra `protomesh[postgresql]`.

    See `protomesh.testing.postgresql.running_postgresql` for where it comes from.
    """
    from protomesh.testing.postgresql import running_postgresql  # noqa: PLC0415 - see the module

    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def database_templates(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Templates":
    """Migrated databases to copy: each service's migrations run once a session."""
    from protomesh.testing.database import FileTemplates, ServerTemplates  # noqa: PLC0415 - see the module

    if database_kind == "postgresql":
        return ServerTemplates(request.getfixturevalue("postgresql_server"))
    return FileTemplates(tmp_path_factory.mktemp("databases"))


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
