"""Learning that a database has changed, by whomever: this worker, another one, a person with a tool."""

import asyncio
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Self

import aiosqlite

from protomesh.runtime.store.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from protomesh.runtime.store.database import Database

__all__ = ["Feed", "changes"]

# How late a change may be noticed, and how often one pragma is asked while anybody waits.
_INTERVAL_SECONDS = 0.05


def changes(database: "Database") -> "Changes":
    """Iterates over the moments at which `database` may have changed.

    The first comes at once, so that a loop reads what is there and misses nothing after it. Changes that come close
    together are one. It says neither what changed nor that it concerns you: read, and compare.

        async for _ in changes(db):
            async with db.read() as tx:
                ...
    """
    return Changes(database.feed)


class Changes:
    """One loop's place in the feed. Nothing has to be closed: what isn't awaited costs nothing."""

    def __init__(self, feed: "Feed") -> None:
        self._feed = feed
        self._seen: int | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        self._seen = await self._feed.wait_newer(self._seen)


class Feed:
    """Asks one database for its `data_version`, however many loops wait, and only while one does.

    SQLite changes the number that a connection sees whenever another connection has committed, in this process or
    elsewhere (https://www.sqlite.org/pragma.html#pragma_data_version). The connection is the feed's own, and the
    number is kept while nobody waits: what happens between two waits is noticed by the second.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()
        self._data_version = 0
        self._count = 0  # changes noticed so far
        self._waiting = 0
        self._noticed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def asking(self) -> bool:
        """Whether the database is being asked now and again, because somebody waits."""
        return self._task is not None

    async def wait_newer(self, seen: int | None) -> int:
        """Returns the count of changes as soon as it is not `seen`; None has seen nothing.

        Raises:
            RuntimeError: The database was closed.
        """
        if seen is None:
            # Ask now: what this caller reads next is what this number stands for, or newer.
            await uninterrupted(self._ask())
        while seen == self._count:
            if self._closed:
                raise RuntimeError("the database was closed")
            if self._noticed is None:
                self._noticed = asyncio.get_running_loop().create_future()
            if self._task is None:
                # Not in the caller's context: its deadline and its trace are its own.
                self._task = asyncio.get_running_loop().create_task(self._poll(), context=Context())
            self._waiting += 1
            try:
                await asyncio.shield(self._noticed)
            finally:
                self._waiting -= 1
        return self._count

    async def close(self) -> None:
        """Stops asking, and ends whoever waits."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._wake()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _poll(self) -> None:
        try:
            while self._waiting:
                await self._ask()
                await asyncio.sleep(_INTERVAL_SECONDS)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if self._noticed is not None:
                self._noticed.set_exception(error)
                self._noticed = None
        finally:
            self._task = None

    async def _ask(self) -> None:
        async with self._opening:
            if self._closed:
                raise RuntimeError("the database was closed")
            first = self._connection is None
            if self._connection is None:
                self._connection = await aiosqlite.connect(self._file, isolation_level=None)
            async with self._connection.execute("PRAGMA data_version") as cursor:
                row = await cursor.fetchone()
            assert row is not None  # the pragma always answers
            if row[0] == self._data_version:
                return
            self._data_version = row[0]
            if not first:
                self._count += 1
                self._wake()

    def _wake(self) -> None:
        if self._noticed is not None:
            self._noticed.set_result(None)
            self._noticed = None
