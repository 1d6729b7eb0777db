"""Other writers of a database, in the middle of a transaction that has the turn."""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import asyncpg
from sqlalchemy import URL

from protomesh.runtime.store.url import sqlite_file


class Writer(Protocol):
    """What another writer can do next."""

    async def execute(self, statement: str) -> None:
        """Executes a statement; COMMIT gives the turn back."""
        ...


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str) -> None:
        self._connection.execute(statement)


class _PostgreSQL:
    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def execute(self, statement: str) -> None:
        await self._connection.execute(statement)


def sqlite_writer(url: URL) -> Callable[[], AbstractAsyncContextManager[Writer]]:
    """One that has SQLite's write lock."""

    @asynccontextmanager
    async def writing() -> AsyncGenerator[Writer]:
        connection = sqlite3.connect(sqlite_file(url), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield _Sqlite(connection)
        finally:
            connection.close()

    return writing


def postgresql_writer(url: URL) -> Callable[[], AbstractAsyncContextManager[Writer]]:
    """One that has the table which stands for the turn."""

    @asynccontextmanager
    async def writing() -> AsyncGenerator[Writer]:
        connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            await connection.execute("BEGIN; LOCK TABLE protomesh_migrated IN SHARE UPDATE EXCLUSIVE MODE")
            yield _PostgreSQL(connection)
        finally:
            await connection.close()

    return writing
