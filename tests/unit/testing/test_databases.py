from pathlib import Path

import pytest
from sqlalchemy import text

from protomesh.testing.database import Templates, databases

PACKAGE = "protomesh.runtime.store"  # has migrations, and needs no service
COUNT = text("SELECT count(*) FROM protomesh_requests")
ADD = text("INSERT INTO protomesh_requests (request_type, request_id, fingerprint, response) VALUES ('t', 'i', '', '')")


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    """Templates of the test's own."""
    (tmp_path / "templates").mkdir()
    return Templates(tmp_path / "templates")


async def test_each_database_is_new(templates: Templates, tmp_path: Path) -> None:
    """What one holds is not in the next, nor in the template."""
    async with databases(templates, tmp_path) as database:
        one, other = await database(PACKAGE), await database(PACKAGE)
        async with one.begin() as tx:
            await tx.execute(ADD)
        another = await database(PACKAGE)
        counts: list[int] = []
        for each in (one, other, another):
            async with each.read() as tx:
                counts.append((await tx.execute(COUNT)).scalar_one())
    assert counts == [1, 0, 0]


async def test_one_database_can_be_opened_twice(templates: Templates, tmp_path: Path) -> None:
    """As by two workers of a service."""
    async with databases(templates, tmp_path) as database:
        url = database.url(PACKAGE)
        one, other = await database.open(url), await database.open(url)
        async with one.begin() as tx:
            await tx.execute(ADD)
        async with other.read() as tx:
            assert (await tx.execute(COUNT)).scalar_one() == 1


async def test_it_is_closed_at_the_end(templates: Templates, tmp_path: Path) -> None:
    """Nothing but the database's own file is left: SQLite removes its log with the last connection."""
    async with databases(templates, tmp_path) as database:
        opened = await database(PACKAGE)
        async with opened.begin() as tx:
            await tx.execute(ADD)
    assert [file.name for file in tmp_path.glob("*.sqlite3*")] == [f"{PACKAGE}-1.sqlite3"]


async def test_a_package_without_migrations_is_named(templates: Templates, tmp_path: Path) -> None:
    """A mistake in a test."""
    async with databases(templates, tmp_path) as database:
        with pytest.raises(LookupError, match=r"protomesh\.model"):
            await database("protomesh.model")
