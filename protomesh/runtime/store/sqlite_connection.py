"""A connection to SQLite on which a statement is one trip to the connection's thread.

aiosqlite has a thread for each connection, and SQLAlchemy makes four trips to it for a SELECT: for a cursor, for the
statement, for its rows, and to close. Each costs a tenth of a millisecond, and under load much of a service's time.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import aiosqlite

__all__ = ["Connection", "connect"]


class _Outcome(NamedTuple):
    """What a cursor has to say once its statement is done."""

    description: Any
    rowcount: int
    lastrowid: int | None
    rows: deque[Any]


_NOTHING = _Outcome(None, -1, None, deque())


def connect(database: str, **options: Any) -> "Connection":
    """A connection that opens when it is awaited; `options` are those of `sqlite3.connect`."""
    return Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)


class Connection(aiosqlite.Connection):
    """aiosqlite's, whose cursors are `Cursor`. It does not keep a process from ending."""

    def __init__(self, connector: Any, iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._thread.daemon = True

    def cursor(self) -> "Cursor":  # type: ignore[override] # entered all the same, only without a trip
        """A cursor, for which nothing has to be asked yet."""
        return Cursor(self)

    async def done(self, execute: str, sql: str, parameters: Any) -> _Outcome:
        """The outcome of a statement, by `execute` or `executemany` of a cursor that nobody sees."""
        outcome: _Outcome = await self._execute(_done, self._conn, execute, sql, parameters)  # type: ignore[no-untyped-call]  # aiosqlite says nothing
        return outcome


class Cursor:
    """What SQLAlchemy asks of an asynchronous cursor. All rows are here as soon as the statement is done."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._outcome = _NOTHING

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Executes one statement."""
        self._outcome = await self._connection.done("execute", sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Executes one statement once for each set of parameters."""
        self._outcome = await self._connection.done("executemany", sql, parameters)
        return self

    async def fetchall(self) -> Iterable[Any]:
        """The rows, once."""
        rows, self._outcome = self._outcome.rows, self._outcome._replace(rows=deque())
        return rows

    async def close(self) -> None:
        """Nothing is left to be closed."""

    @property
    def description(self) -> Any:
        """The columns, as in PEP 249; None if the statement has no rows to give."""
        return self._outcome.description

    @property
    def rowcount(self) -> int:
        """How many rows a write has touched."""
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The rowid of the row that was inserted last."""
        return self._outcome.lastrowid


def _done(connection: sqlite3.Connection, execute: str, sql: str, parameters: Any) -> _Outcome:
    cursor = connection.cursor()
    try:
        getattr(cursor, execute)(sql, parameters)
        rows = deque(cursor.fetchall()) if cursor.description else deque()
        return _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()  # here: SQLite keeps a lock for as long as a statement of it exists
