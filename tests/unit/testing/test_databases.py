from pathlib import Path

import pytest
from sqlalchemy import text

from protomesh.runtime.store.revisions import upgrade
from protomesh.testing.database import Databases, FileTemplates, ServerTemplates, databases
from protomesh.testing.postgresql import PostgreSQL

PACKAGE = "protomesh.runtime.store"  # has migrations, and needs no service
COUNT = text("SELECT count(*) FROM protomesh_requests")
ADD = text("INSERT INTO protomesh_requests (request_type, request_id, fingerprint, response) VALUES ('t', 'i', '', '')")


async def test_each_database_is_new(database: Databases) -> None:
    """What one holds is not in the next, nor in the template."""
    one, other = await database(PACKAGE), await database(PACKAGE)
    async with one.begin() as tx:
        await tx.execute(ADD)
    another = await database(PACKAGE)
    counts: list[int] = []
    for each in (one, other, another):
        async with each.read() as tx:
            counts.append((await tx.execute(COUNT)).scalar_one())
    assert counts == [1, 0, 0]


async def test_one_database_can_be_opened_twice(database: Databases) -> None:
    """As by two workers of a service, and by a person with a tool."""
    url = database.url(PACKAGE)
    one, other = await database.open(url), await database.open(url)
    async with one.begin() as tx:
        await tx.execute(ADD)
    async with other.read() as tx:
        assert (await tx.execute(COUNT)).scalar_one() == 1
    assert database.query(url, str(COUNT)) == [(1,)]


async def test_an_empty_one_has_no_table(database: Databases) -> None:
    """Migrations have everything to do."""
    assert upgrade(database.empty(), PACKAGE) != []


async def test_a_file_is_closed_at_the_end(tmp_path: Path) -> None:
    """Nothing but the database's own file is left: SQLite removes its log with the last connection."""
    (tmp_path / "templates").mkdir()
    async with databases(FileTemplates(tmp_path / "templates"), tmp_path) as database:
        opened = await database(PACKAGE)
        async with opened.begin() as tx:
            await tx.execute(ADD)
    assert [file.name for file in tmp_path.glob("*.sqlite3*")] == [f"{PACKAGE}-1.sqlite3"]


async def test_a_servers_database_is_dropped_at_the_end(postgresql_server: PostgreSQL, tmp_path: Path) -> None:
    """A session of hundreds of tests leaves no more than its templates."""
    names = "SELECT datname FROM pg_database WHERE datname LIKE 'test-%'"
    before = postgresql_server.query("postgres", names)
    async with databases(ServerTemplates(postgresql_server, "of this test"), tmp_path) as database:
        await database(PACKAGE)
        assert len(postgresql_server.query("postgres", names)) == len(before) + 1
    assert postgresql_server.query("postgres", names) == before


async def test_a_package_without_migrations_is_named(database: Databases) -> None:
    """A mistake in a test."""
    with pytest.raises(LookupError, match=r"protomesh\.model"):
        await database("protomesh.model")
