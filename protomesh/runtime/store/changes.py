"""Learning that a database has changed, by whomever: this worker, another one, a person with a tool."""

import asyncio
from abc import ABC, abstractmethod
from contextvars import Context
from typing import TYPE_CHECKING, Self

from protomesh.runtime.store.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from protomesh.runtime.store.database import Database

__all__ = ["Changes", "Feed", "changes"]


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


class Feed(ABC):
    """Counts the changes of one database, however many loops wait, with one connection of its own.

    How a change is noticed is the dialect's: it calls `_changed` for each, and what happens between two waits must be
    noticed by the second.
    """

    def __init__(self) -> None:
        self._count = 0  # changes noticed so far
        self._waiting = 0
        self._noticed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def watching(self) -> bool:
        """Whether the database is being watched, because somebody waits or did."""
        return self._task is not None

    async def wait_newer(self, seen: int | None) -> int:
        """Returns the count of changes as soon as it is not `seen`; None has seen nothing.

        Raises:
            RuntimeError: The database was closed.
            Unreachable: It can't be reached any more.
        """
        if seen is None:
            # Now: what this caller reads next is what this number stands for, or newer.
            self._refuse_closed()
            await uninterrupted(self._catch_up())
        while seen == self._count:
            self._refuse_closed()
            if self._noticed is None:
                self._noticed = asyncio.get_running_loop().create_future()
            if self._task is None:
                # Not in the caller's context: its deadline and its trace are its own.
                self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self._waiting += 1
            try:
                await asyncio.shield(self._noticed)
            finally:
                self._waiting -= 1
        return self._count

    async def close(self) -> None:
        """Stops watching, and ends whoever waits."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._wake()
        await self._disconnect()

    @abstractmethod
    async def _catch_up(self) -> None:
        """Returns when every change from now on will be noticed; calls `_changed` if there were some since the last."""

    @abstractmethod
    async def _watch(self) -> None:
        """Calls `_changed` for each change. Begins when somebody waits; may end when `_waiting` is 0."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Closes the connection."""

    def _changed(self) -> None:
        self._count += 1
        self._wake()

    async def _run(self) -> None:
        try:
            await self._watch()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if self._noticed is not None:
                self._noticed.set_exception(error)
                self._noticed.exception()  # seen, should everybody have left meanwhile
                self._noticed = None
        finally:
            self._task = None

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError("the database was closed")

    def _wake(self) -> None:
        if self._noticed is not None:
            self._noticed.set_result(None)
            self._noticed = None
