"""SQLite as several workers can share it: WAL, one writer at a time, a busy lock told apart from a broken file.

The rules are SQLite's own: https://www.sqlite.org/wal.html and https://www.sqlite.org/lang_transaction.html.
"""

import asyncio
import fcntl
import random
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from protomesh.runtime.errors import StatusError
from protomesh.runtime.lease import FileLeases
from protomesh.runtime.store.changes import Feed
from protomesh.runtime.store.dialect import Role
from protomesh.runtime.store.errors import Contended, InUse
from protomesh.runtime.store.sqlite_connection import connect
from protomesh.runtime.store.tables import digest_in
from protomesh.runtime.store.uninterrupted import uninterrupted
from protomesh.runtime.store.url import NoDatabase, sqlite_file

__all__ = [
    "READERS",
    "DataVersion",
    "empty",
    "engine",
    "feed",
    "first",
    "kept_digest",
    "leases",
    "migrate",
    "opened",
    "refusal",
]

ResultT = TypeVar("ResultT")

# Each has a thread.
READERS = 4

# A reader meets a lock only for the moments in which another process recovers or removes the log.
_READER_WAITS_SECONDS = 1.0

# For workers of an older release, which write while a newer one migrates.
_MIGRATION_WAITS_SECONDS = 60.0

# How late a change may be noticed, and how often one pragma is asked while anybody waits.
_CHANGES_SECONDS = 0.05

# How often a worker looks whether another one has migrated.
_FIRST_SECONDS = 0.02


def engine(url: URL, role: Role) -> AsyncEngine:
    """An engine whose transactions begin as `role` needs.

    A writer's transactions take the write lock when they begin: one that began as a reader and then writes fails
    with SQLITE_BUSY_SNAPSHOT at once, whatever the timeout, if somebody else wrote meanwhile. A writer never waits
    inside SQLite, so that the task which waits can be cancelled; `opened` tries again. A reader can't write.
    """
    writer = role == "writer"
    made = create_async_engine(
        url,
        # No implicit BEGIN: Python's sqlite3 would send one of its own before the first change, and a deferred one.
        connect_args={
            "async_creator_fn": connect,
            "isolation_level": None,
            "timeout": 0.0 if writer else _READER_WAITS_SECONDS,
        },
        pool_size=1 if writer else READERS,
        max_overflow=0,
        hide_parameters=True,  # an error of SQLAlchemy's says else what should have been written, and ends in a log
        pool_reset_on_return=None,  # see `end`: by default a trip to roll back what is committed
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

    @event.listens_for(made.sync_engine, "reset")
    def end(connection: Any, _record: object, _state: object) -> None:
        # A COMMIT that a deferred constraint refuses leaves its transaction open; SQLAlchemy takes it for ended.
        if connection.driver_connection.in_transaction:
            connection.rollback()

    @event.listens_for(made.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return made


async def opened(source: AsyncEngine, give_up: float) -> AsyncSession:
    """A session whose transaction has begun. Another process may hold the lock: then again, until `give_up`."""
    loop = asyncio.get_running_loop()
    for pause in _pauses():
        session = AsyncSession(source, expire_on_commit=False)
        try:
            await uninterrupted(session.connection())
        except BaseException as error:
            await uninterrupted(session.close())
            if not (isinstance(error, DBAPIError) and _is_busy(error)) or loop.time() + pause >= give_up:
                raise
        else:
            return session
        await asyncio.sleep(pause)
    raise AssertionError  # the pauses never end


def refusal(error: DBAPIError) -> StatusError | None:
    """Contended, if somebody else holds the lock and nothing is wrong but the moment."""
    return Contended() if _is_busy(error) else None


def _is_busy(error: DBAPIError) -> bool:
    return (
        isinstance(error.orig, sqlite3.OperationalError) and error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )


def feed(url: URL) -> Feed:
    """The changes of a file."""
    return DataVersion(sqlite_file(url))


def leases(url: URL) -> FileLeases:
    """Locks on files beside the database's: whoever shares that is on one machine."""
    return FileLeases(sqlite_file(url))


class DataVersion(Feed):
    """Asks one file for its `data_version` while somebody waits.

    SQLite changes the number that a connection sees whenever another connection has committed, in this process or
    elsewhere (https://www.sqlite.org/pragma.html#pragma_data_version). The number is kept while nobody waits.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._connection: aiosqlite.Connection | None = None
        self._asking = asyncio.Lock()
        self._data_version = 0

    async def _watch(self) -> None:
        while self._waiting:
            await self._catch_up()
            await asyncio.sleep(_CHANGES_SECONDS)

    async def _catch_up(self) -> None:
        async with self._asking:
            self._refuse_closed()
            begins = self._connection is None
            if self._connection is None:
                self._connection = await aiosqlite.connect(self._file, isolation_level=None)
            async with self._connection.execute("PRAGMA data_version") as cursor:
                row = await cursor.fetchone()
            assert row is not None  # the pragma always answers
            if row[0] == self._data_version:
                return
            self._data_version = row[0]
            if not begins:
                self._changed()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


async def kept_digest(url: URL, package: str) -> str | None:
    """The digest that the file has for a package's migrations. The file is not made by asking."""
    if not sqlite_file(url).is_file():
        return None
    made = create_engine(url.set(drivername="sqlite"), hide_parameters=True)
    try:
        with made.connect() as connection:
            return digest_in(connection, package)
    except DBAPIError as error:
        if _is_busy(error):
            return None  # then the process that waits for the lock finds out
        raise NoDatabase(f"can't read {sqlite_file(url)}: {error.orig}") from None
    finally:
        made.dispose()


@asynccontextmanager
async def first(url: URL) -> AsyncGenerator[None]:
    """A file lock that nobody blocks on, so that a worker can be stopped while it waits."""
    with _lock_file(url, "starting").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_FIRST_SECONDS)
        yield


def migrate(url: URL, work: Callable[[Connection], ResultT]) -> ResultT:
    """Does `work` in one transaction, under a file lock, on a file that has a write-ahead log."""
    made = create_engine(
        url.set(drivername="sqlite"),
        connect_args={"isolation_level": None, "timeout": _MIGRATION_WAITS_SECONDS},
        hide_parameters=True,
    )

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with _locked(url):
        _switch_to_wal(url)
        try:
            with made.begin() as connection:
                return work(connection)
        finally:
            made.dispose()


def empty(url: URL) -> None:
    """Removes the file. One that a worker has open stays, for the worker would go on with what nobody else sees."""
    file = sqlite_file(url)
    with _locked(url):
        if not file.exists():
            return
        with closing(sqlite3.connect(file, timeout=0.0, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA journal_mode = DELETE")  # possible for the only connection there is
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise NoDatabase(f"can't open {file}: {error}") from None
                raise InUse(f"{file} is open in another process; end that first") from None
            except sqlite3.DatabaseError:
                pass  # no database at all, or a broken one: what better reason to remove it
        for name in (file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm", "journal"))):
            name.unlink(missing_ok=True)


def _pauses() -> Iterator[float]:
    """Seconds between tries: short at first, and never in step with another process."""
    longest = 0.002
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
        longest = min(0.05, longest * 2)


def _lock_file(url: URL, purpose: str) -> Path:
    file = sqlite_file(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.with_name(f"{file.name}.{purpose}")


@contextmanager
def _locked(url: URL) -> Generator[None]:
    # The kernel lets go of it however the process ends.
    with _lock_file(url, "migrating").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _switch_to_wal(url: URL) -> None:
    # Here, and not when a worker connects: the switch needs the file for itself and does not wait for it. The file
    # keeps the mode. Not by SQLAlchemy, which begins a transaction first, and in one nothing would happen.
    with closing(
        sqlite3.connect(sqlite_file(url), timeout=_MIGRATION_WAITS_SECONDS, isolation_level=None)
    ) as connection:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise NoDatabase(f"{sqlite_file(url)} can't use a write-ahead log; is it on a network file system?")
