"""How the streams of one worker learn that something came, with one look at the database for all of them.

A change of the database wakes whoever waits for `changes`. Were that each stream, every message to anybody would be as
many queries as there are subscribers.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Self

import structlog

from protomesh.runtime.store import Contended, Database, changes
from services.notifications import store

__all__ = ["Arrivals", "Doorbell"]

_log = structlog.get_logger(__name__)


class Doorbell:
    """Iterates over the moments at which something may have come into one mailbox. The first is at once.

    Look into the mailbox after each: whatever comes after that look rings again.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._rung.set()
        self._error: Exception | None = None

    def ring(self) -> None:
        """Something came."""
        self._rung.set()

    def fail(self, error: Exception) -> None:
        """Nobody will ring any more."""
        self._error = error
        self._rung.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        await self._rung.wait()
        if self._error is not None:
            raise self._error
        self._rung.clear()


class Arrivals:
    """Watches the mailboxes that somebody listens at, for as long as anybody does."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._bells: dict[str, set[Doorbell]] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> bool:
        """Whether the database is being watched, because somebody listens."""
        return self._task is not None

    @asynccontextmanager
    async def at(self, subject: str) -> AsyncGenerator[Doorbell]:
        """Listens at a user's mailbox for the block, whether it is there already or not.

        The bell raises `Unreachable` once the database can't be reached any more.
        """
        bell = Doorbell()
        self._bells.setdefault(subject, set()).add(bell)
        if self._task is None:
            # Not in the caller's context: its deadline and its trace are its own.
            self._task = asyncio.get_running_loop().create_task(self._watch(), context=Context())
        try:
            yield bell
        finally:
            await self._leave(subject, bell)

    async def _leave(self, subject: str, bell: Doorbell) -> None:
        self._bells[subject].discard(bell)
        if not self._bells[subject]:
            del self._bells[subject]
        task = self._task
        if not self._bells and task is not None:
            self._task = None  # first: whoever comes while this one ends needs another
            task.cancel()
            await asyncio.wait([task])

    async def _look(self) -> dict[str, int]:
        while True:
            try:
                async with self._db.read() as tx:
                    return await store.last_numbers(tx, list(self._bells))
            except Contended:
                # It has waited. One busy moment must not end every stream of the worker.
                _log.warning("mailboxes wait to be looked into", subjects=len(self._bells))

    async def _watch(self) -> None:
        known: dict[str, int] = {}
        try:
            async for _ in changes(self._db):
                found = await self._look()
                for subject, number in found.items():
                    # Of a mailbox that is new here nobody knows whether its listener has looked into it before.
                    if known.get(subject) != number:
                        for bell in self._bells.get(subject, ()):
                            bell.ring()
                known = found
        except Exception as error:  # noqa: BLE001 - handed to whoever listens
            self._task = None
            for bells in self._bells.values():
                for bell in bells:
                    bell.fail(error)
