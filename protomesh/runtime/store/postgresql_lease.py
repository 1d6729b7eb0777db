"""What one of all workers that share a PostgreSQL database has, on whatever machine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import URL

from protomesh.runtime.store.postgresql_connection import StandingConnection

__all__ = ["AdvisoryLease"]


class AdvisoryLease:
    """An advisory lock of a connection of its own: the server gives it up when the connection ends.

    A connection that is lost has lost the lease, which its worker learns at once from the socket, or from a question
    that nobody answers.
    """

    def __init__(self, url: URL, name: str) -> None:
        self._connection = StandingConnection(url)
        self._name = f"protomesh_{name}"

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Waits until this worker has the lease, and keeps it for the block.

        Raises:
            Unreachable: there is no database to speak with.
        """
        try:
            await self._connection.make()
            await self._connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", self._name)
            yield
        finally:
            self._connection.end()

    async def wait_lost(self) -> None:
        """Returns when the connection is lost."""
        await self._connection.wait_lost()
