"""What a statement on SQLite costs, and what a cursor says after it."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from protomesh.runtime.store import Database, sqlite_url
from protomesh.runtime.store.sqlite_connection import Connection, connect


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    """An empty database with a table `notes`."""
    opened = connect(str(tmp_path / "notes.sqlite"), isolation_level=None)
    async with opened:
        await opened.cursor().execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, line TEXT NOT NULL UNIQUE)")
        yield opened


async def test_a_cursor_tells_what_a_write_did(connection: Connection) -> None:
    """It has no columns, and no rows."""
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO notes (line) VALUES (?)", ("one",))
    assert (cursor.description, cursor.rowcount, cursor.lastrowid) == (None, 1, 1)
    await cursor.executemany("INSERT INTO notes (line) VALUES (?)", [("two",), ("three",)])
    assert cursor.rowcount == 2
    await cursor.execute("UPDATE notes SET line = line || '!'")
    assert cursor.rowcount == 3


async def test_rows_are_there_once_with_their_columns(connection: Connection) -> None:
    """RETURNING and SELECT alike."""
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO notes (line) VALUES ('one'), ('two') RETURNING id")
    assert cursor.description[0][0] == "id"
    assert list(await cursor.fetchall()) == [(1,), (2,)]
    assert list(await cursor.fetchall()) == []
    await cursor.execute("SELECT line FROM notes WHERE id > ?", (1,))
    assert list(await cursor.fetchall()) == [("two",)]


async def test_a_failed_statement_leaves_no_lock(connection: Connection, tmp_path: Path) -> None:
    """Its cursor is closed, though the error still refers to all that took part."""
    await connection.cursor().execute("INSERT INTO notes (line) VALUES ('one')")
    with pytest.raises(sqlite3.IntegrityError) as kept:
        await connection.cursor().execute("INSERT INTO notes (line) VALUES ('two'), ('one') RETURNING id")
    another = connect(str(tmp_path / "notes.sqlite"), isolation_level=None, timeout=0)
    async with another:
        await another.cursor().execute("INSERT INTO notes (line) VALUES ('three')")
    assert kept.value.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE"


async def test_a_transaction_makes_one_trip_a_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One to begin, one each, one to commit: what SQLAlchemy and aiosqlite make of it by themselves is four each."""
    trips: list[str] = []
    execute: Any = Connection._execute

    async def counted(self: Connection, work: Any, *arguments: Any) -> Any:
        trips.append(work.__name__)
        return await execute(self, work, *arguments)

    async with Database(sqlite_url(tmp_path / "notes.sqlite")) as db:
        async with db.begin() as tx:
            await tx.execute(text("CREATE TABLE notes (line TEXT)"))
        monkeypatch.setattr(Connection, "_execute", counted)
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO notes VALUES ('one')"))
            assert (await tx.execute(text("SELECT line FROM notes"))).scalars().all() == ["one"]
        monkeypatch.undo()
    assert trips == ["_done", "_done", "_done", "commit"]
