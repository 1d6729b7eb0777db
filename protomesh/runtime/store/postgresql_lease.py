"""What one of all workers that share a PostgreSQL database has, on whatever machine."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import URL

from protomesh.runtime.store.errors import Unreachable
from protomesh.runtime.store.postgresql_connection import StandingConnection
from protomesh.runtime.store.uninterrupted import uninterrupted

__all__ = ["AdvisoryLease", "AdvisoryLeases"]

# How often a worker without a lease asks for it. To wait inside the server would take a connection for each lease.
_INTERVAL_SECONDS = 1.0

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"


class AdvisoryLeases:
    """Advisory locks of one connection, which is there while one of them is held or waited for.

    The server gives them up when the connection ends, however that happens. A worker learns that its connection is
    lost at once from the socket, or from a question that nobody answers; all its leases are lost then.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: StandingConnection | None = None
        self._held: set[str] = set()  # on this connection; the server would let it have a lock again
        self._asking = 0
        self._turn = asyncio.Lock()

    def named(self, name: str) -> "AdvisoryLease":
        """The lease of a name, which every worker asks for that wants the same."""
        return AdvisoryLease(self, f"protomesh_{name}")

    async def close(self) -> None:
        """Gives up every lease."""
        self._end()

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[None]:
        """For the block, there may be a connection. The last one out ends it."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._end()

    async def take(self, name: str) -> StandingConnection | None:
        """Takes a lock that nobody has. Returns the connection with which it is lost; None if somebody has it.

        Raises:
            Unreachable: there is no database to speak with.
        """
        async with self._turn:
            if self._connection is None or not self._connection.open:
                self._end()
                connection = StandingConnection(self._url)
                await connection.make()
                self._connection = connection
            if name in self._held or not await self._said(_LOCK, name):
                return None
            self._held.add(name)
            return self._connection

    async def give_up(self, name: str, connection: StandingConnection) -> None:
        """Lets others have a lock. One whose connection is lost is theirs already."""
        async with self._turn:
            if connection is not self._connection:
                return
            self._held.discard(name)
            if self._asking > 1:  # or the end of the connection does it
                with suppress(Unreachable):
                    await self._said(_UNLOCK, name)

    async def _said(self, query: str, name: str) -> bool:
        assert self._connection is not None, "it was made"
        try:
            return bool(await self._connection.fetch(query, name))
        except Unreachable:
            self._end()  # nobody knows what the server has done
            raise

    def _end(self) -> None:
        self._held.clear()
        if self._connection is not None:
            self._connection.end()
            self._connection = None


class AdvisoryLease:
    """See `Lease`. One advisory lock."""

    def __init__(self, leases: AdvisoryLeases, name: str) -> None:
        self._leases = leases
        self._name = name
        self._connection: StandingConnection | None = None

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Waits until this worker has the lease, and keeps it for the block.

        Raises:
            Unreachable: there is no database to speak with.
        """
        async with self._leases.asking():
            try:
                while not await uninterrupted(self._take()):  # noqa: ASYNC110 - the server tells nobody of a lock
                    await asyncio.sleep(_INTERVAL_SECONDS)
                yield
            finally:
                await uninterrupted(self._give_up())

    async def wait_lost(self) -> None:
        """Returns when the connection is lost."""
        assert self._connection is not None, "it is held"
        await self._connection.wait_lost()

    async def _take(self) -> bool:
        self._connection = await self._leases.take(self._name)
        return self._connection is not None

    async def _give_up(self) -> None:
        if self._connection is not None:
            await self._leases.give_up(self._name, self._connection)
            self._connection = None
