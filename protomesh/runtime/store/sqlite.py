"""SQLite as several workers can share it: WAL, one writer at a time, a busy lock told apart from a broken file.

The rules are SQLite's own: https://www.sqlite.org/wal.html and https://www.sqlite.org/lang_transaction.html.
"""

import sqlite3
from typing import Any, Literal

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["READERS", "engine", "is_busy"]

# A reader meets a lock only for the moments in which another process recovers or removes the log.
_READER_WAITS_SECONDS = 1.0

# Connections that read at once in one process; each has a thread.
READERS = 4


def engine(url: URL, role: Literal["reader", "writer"]) -> AsyncEngine:
    """An engine whose transactions begin as `role` needs.

    A writer's transactions take the write lock when they begin: one that began as a reader and then writes fails
    with SQLITE_BUSY_SNAPSHOT at once, whatever the timeout, if somebody else wrote meanwhile. A writer never waits
    inside SQLite, so that the task which waits can be cancelled; `Database` tries again. A reader can't write.
    """
    writer = role == "writer"
    made = create_async_engine(
        url,
        # No implicit BEGIN: Python's sqlite3 would send one of its own before the first change, and a deferred one.
        connect_args={"isolation_level": None, "timeout": 0.0 if writer else _READER_WAITS_SECONDS},
        pool_size=1 if writer else READERS,
        max_overflow=0,
    )
    pragmas = ("foreign_keys = ON",) if writer else ("query_only = ON",)

    @event.listens_for(made.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(made.sync_engine, "invalidate")
    def roll_back(connection: Any, _record: object, _error: object) -> None:
        # A statement that was cancelled is still referred to by its traceback, and SQLite keeps a closed connection
        # with its lock for as long as a statement of it exists.
        connection.rollback()

    @event.listens_for(made.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return made


def is_busy(error: OperationalError) -> bool:
    """Whether somebody else holds the lock, and nothing is wrong but the moment."""
    return (
        isinstance(error.orig, sqlite3.OperationalError) and error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )
