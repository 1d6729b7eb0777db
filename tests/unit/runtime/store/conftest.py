"""A migrated database of each kind for each test, and whoever else uses it meanwhile."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import URL

from protomesh.runtime.store import Database
from protomesh.runtime.store.dialect import dialect_of
from protomesh.testing.database import Databases
from tests.unit.runtime.store.writers import Writer, postgresql_writer, sqlite_writer

PACKAGE = "protomesh.runtime.store"


@pytest.fixture
def url(database: Databases) -> URL:
    """A new database that has the store's own tables, and a table `things` of one number each."""
    made = database.url(PACKAGE)
    dialect_of(made).migrate(
        made, lambda connection: connection.exec_driver_sql("CREATE TABLE things (number INTEGER NOT NULL)")
    )
    return made


@pytest.fixture
async def db(database: Databases, url: URL) -> Database:
    """That database, open."""
    return await database.open(url)


@pytest.fixture
def another_writer(url: URL, database_kind: str) -> Callable[[], AbstractAsyncContextManager[Writer]]:
    """Makes another process, as far as the database can tell, in the middle of a write."""
    return {"sqlite": sqlite_writer, "postgresql": postgresql_writer}[database_kind](url)
