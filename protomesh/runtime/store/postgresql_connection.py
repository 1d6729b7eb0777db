"""Connections to PostgreSQL that are made one by one, and what it means that they fail."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from protomesh.runtime.store.errors import Unreachable

__all__ = ["LOST", "SETTINGS", "StandingConnection", "connect", "reason"]

# Until a server that does not answer counts as not there.
_CONNECT_SECONDS = 5.0

# How often a connection on which nothing is said is tried: the end of a dead one is noticed by nothing else.
_PING_SECONDS = 10.0

# When the server gives up a silent client, whose machine or network is gone: later than the client, which stops what it
# has a lease for before another one begins. On a unix socket nothing of it happens, and nothing is needed.
_KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

SETTINGS = {
    "application_name": "protomesh",
    "timezone": "UTC",  # current_timestamp goes into columns of UTC without saying so
}

LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the driver raises when there is no server to speak with, or none any more."""

_log = logging.getLogger(__name__)


async def connect(url: URL, settings: dict[str, str], silent: float | None = None) -> "asyncpg.Connection[Any]":
    """Connects. A statement that takes longer than `silent` seconds fails: the server counts as lost.

    Raises:
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: see `LOST`.
    """
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        server_settings=settings,
        timeout=_CONNECT_SECONDS,
        command_timeout=silent,
    )


def reason(error: BaseException) -> str:
    """What went wrong, in the server's own words where it said any."""
    if isinstance(error, DBAPIError):
        return str(error.orig)
    return str(error) or type(error).__name__


class StandingConnection:
    """A connection that stands for long and says little: it listens, or holds a lock.

    Its loss is learnt from the socket, or from a question that nobody answers.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: asyncpg.Connection[Any] | None = None
        self._lost = asyncio.Event()
        self._turn = asyncio.Lock()  # of who says something on it

    @property
    def made(self) -> bool:
        """Whether it was ever made."""
        return self._connection is not None

    @property
    def open(self) -> bool:
        """Whether it is there, as far as anybody knows."""
        return self._connection is not None and not self._connection.is_closed()

    async def make(self) -> None:
        """Connects, in the place of one that was lost.

        Raises:
            Unreachable: there is no database to speak with.
        """
        self._lost.clear()
        try:
            self._connection = await connect(self._url, SETTINGS | _KEEPALIVES)
        except LOST as error:
            raise self._unreachable(error) from error
        self._connection.add_termination_listener(lambda _connection: self._lost.set())

    async def fetch(self, query: str, *arguments: object) -> Any:
        """The answer to a query that waits for nobody: the first column of its first row.

        Raises:
            Unreachable: the connection is lost.
        """
        connection = self._connection
        assert connection is not None, "make it first"
        try:
            async with self._turn:
                return await connection.fetchval(query, *arguments, timeout=_CONNECT_SECONDS)
        except LOST as error:
            raise self._unreachable(error) from error

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Calls `heard` for each notification of a channel. Nobody else may say anything meanwhile.

        Raises:
            Unreachable: the connection is lost.
        """
        assert self._connection is not None, "make it first"
        try:
            await self._connection.add_listener(channel, lambda *_: heard())
        except LOST as error:
            raise self._unreachable(error) from error

    async def wait_lost(self) -> None:
        """Returns when it is lost."""
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self._lost.wait()
            except TimeoutError:
                await self._ping()

    def end(self) -> None:
        """Lets go of it at once: nothing is in progress, and a server that is gone can't say good-bye."""
        self._lost.set()
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _ping(self) -> None:
        connection = self._connection
        if connection is None:
            return  # it was ended, and is lost
        try:
            async with self._turn:
                await connection.execute("SELECT", timeout=_CONNECT_SECONDS)
        except LOST:
            connection.terminate()
            self._lost.set()

    def _unreachable(self, error: BaseException) -> Unreachable:
        _log.warning("the database can't be reached: %s", reason(error))
        return Unreachable()
