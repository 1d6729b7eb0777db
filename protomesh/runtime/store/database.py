"""A service's own database: short transactions that know how long the caller still waits."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from protomesh.runtime.current import time_remaining
from protomesh.runtime.lease import Lease
from protomesh.runtime.store.dialect import dialect_of
from protomesh.runtime.store.errors import Contended, Unconfirmed, Unreachable
from protomesh.runtime.store.uninterrupted import uninterrupted

__all__ = ["Database", "Transaction"]

# What a handler does its work in. Everything in it is kept, or nothing.
Transaction = AsyncSession

# Kept back of what the caller still waits, so that the answer is ABORTED, which says what happened, and not a
# deadline that passed somewhere.
_TO_ANSWER_SECONDS = 0.05


class Database:
    """One database of one service, shared by all its workers.

    `async with db.begin() as tx` writes, `async with db.read() as tx` reads; both see one moment of the database
    and are meant to be short: never wait for a client or another service inside. Writers take turns, in this
    process in the order in which they came. Who would have to wait longer than the caller does gets `Contended`
    (ABORTED). A transaction ends with its block: kept if the block ends well, undone if it raises.

    Args:
        url: From `database_url` or `sqlite_url`. PostgreSQL or SQLite: what is said here holds for both.
        remaining: Says how many seconds the call in progress has left; None if it has no deadline.
        patience: How long to wait where there is no deadline.
    """

    def __init__(
        self,
        url: URL,
        *,
        remaining: Callable[[], float | None] = time_remaining,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self.url = url
        self._dialect = dialect_of(url)
        self.feed = self._dialect.feed(url)
        self._leases = self._dialect.leases(url)
        self.info: dict[str, Any] = {}  # what every transaction has in its own `info`
        self._remaining = remaining
        self._patience = patience.total_seconds()
        self._writer = self._dialect.engine(url, "writer")
        self._reader = self._dialect.engine(url, "reader")
        # First come, first served, and waiting can be cancelled: neither is so inside SQLite or a connection pool.
        self._turn = asyncio.Semaphore(1)
        self._readers = asyncio.Semaphore(self._dialect.READERS)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Transaction]:
        """Begins a transaction that may write.

        Raises:
            Contended: Others wrote for as long as the caller waits. Nothing has happened; trying again may help.
            Unreachable: There is no database to speak with, or it went away in the middle; likewise.
            Unconfirmed: It went away at the end, and may have kept everything or nothing.
            Unstorable: A text has the character NUL, which PostgreSQL does not keep.
        """
        async with self._session(self._writer, self._turn) as tx:
            yield tx
            try:
                await uninterrupted(tx.commit())
            except Unreachable as error:
                raise Unconfirmed from error
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise Unconfirmed from error
                raise

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        """Begins a transaction that only reads. A write in it fails, so that none can happen without its turn.

        Raises:
            Contended: Every connection was in use for as long as the caller waits.
            Unreachable: There is no database to speak with.
        """
        async with self._session(self._reader, self._readers) as tx:
            yield tx

    def lease(self, name: str) -> Lease:
        """What one of all workers that share this database has at a time: each asks for it by the same name."""
        return self._leases.named(name)

    async def close(self) -> None:
        """Closes every connection. Whoever still iterates over `changes` gets an error; leases are given up."""
        await self.feed.close()
        await self._leases.close()
        await self._reader.dispose()
        await self._writer.dispose()  # of SQLite, the last one out folds the write-ahead log into the file

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _give_up(self) -> float:
        remaining = self._remaining()
        wait = self._patience if remaining is None else max(0.0, remaining - _TO_ANSWER_SECONDS)
        return asyncio.get_running_loop().time() + wait

    @asynccontextmanager
    async def _session(self, source: AsyncEngine, places: asyncio.Semaphore) -> AsyncGenerator[AsyncSession]:
        give_up = self._give_up()
        try:
            async with asyncio.timeout_at(give_up):
                await places.acquire()
        except TimeoutError:
            raise Contended from None
        try:
            session = await self._dialect.opened(source, give_up)
            session.info.update(self.info)
            try:
                yield session
            finally:
                await uninterrupted(session.close())  # undoes what was not committed
        except DBAPIError as error:
            if refusal := self._dialect.refusal(error):
                raise refusal from error
            raise
        finally:
            places.release()
