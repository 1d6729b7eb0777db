"""Hearing of changes from PostgreSQL itself."""

import asyncio

from sqlalchemy import URL

from protomesh.runtime.store.changes import Feed
from protomesh.runtime.store.postgresql_connection import StandingConnection
from protomesh.runtime.store.postgresql_schema import CHANNEL

__all__ = ["Listener"]


class Listener(Feed):
    """Hears of changes by NOTIFY, from the first wait until it is closed.

    Every table has a trigger that tells (https://www.postgresql.org/docs/current/sql-notify.html): a notification
    comes when its transaction is kept, and what it is about can be read then. While the connection is lost nothing is
    heard, so that a new one counts as a change.
    """

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._connection = StandingConnection(url)
        self._connecting = asyncio.Lock()

    async def _watch(self) -> None:
        while True:
            await self._catch_up()
            await self._connection.wait_lost()

    async def _catch_up(self) -> None:
        async with self._connecting:
            self._refuse_closed()
            if self._connection.open:
                return
            begins = not self._connection.made
            await self._connection.make()
            await self._connection.listen(CHANNEL, self._changed)
            if not begins:
                self._changed()

    async def _disconnect(self) -> None:
        self._connection.end()
