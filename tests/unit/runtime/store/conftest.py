"""A migrated database file for each test, and a request message of the tests' own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from protomesh.runtime.store import Database, sqlite_url
from protomesh.runtime.store.revisions import upgrade


@pytest.fixture
def url(tmp_path: Path) -> URL:
    """A new database that has the store's own tables."""
    made = sqlite_url(tmp_path / "database.sqlite3")
    upgrade(made, "protomesh.runtime.store")
    return made


@pytest.fixture
async def db(url: URL) -> AsyncGenerator[Database]:
    """That database, with a table `things` of one number each."""
    async with Database(url) as database:
        async with database.begin() as tx:
            await tx.execute(text("CREATE TABLE things (number INTEGER NOT NULL)"))
        yield database
