"""Things of a database that streams follow, with one look at it for all the streams of a worker."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Hashable, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import structlog

from protomesh.runtime.store.changes import Changes, changes
from protomesh.runtime.store.errors import Contended

if TYPE_CHECKING:
    from protomesh.runtime.store.database import Database, Transaction

__all__ = ["States", "Watch"]

# A statement may have some 30000 parameters, in SQLite as in PostgreSQL.
_AT_ONCE = 10_000

_log = structlog.get_logger("protomesh.runtime")

KeyT = TypeVar("KeyT", bound=Hashable)
StateT = TypeVar("StateT")


class States(Generic[StateT]):
    """Iterates over the states of one thing, as one stream learns of them. The first comes as soon as it is read.

    Each is newer than the one before and differs from it; None if the thing is not there. Who is slow is not told of
    every state on the way, but always of the last: nothing piles up.
    """

    def __init__(self) -> None:
        self._latest: StateT | None = None
        self._told: tuple[StateT | None] | None = None
        self._news = asyncio.Event()
        self._error: Exception | None = None

    def offer(self, state: StateT | None) -> None:
        """This is how the thing is now."""
        self._latest = state
        if self._told == (state,):
            self._news.clear()  # it was another one only while nobody asked
        else:
            self._news.set()

    def fail(self, error: Exception) -> None:
        """Nobody looks any more."""
        self._error = error
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StateT | None:
        await self._news.wait()
        if self._error is not None:
            raise self._error
        self._news.clear()
        self._told = (self._latest,)
        return self._latest


class Watch(Generic[KeyT, StateT]):
    """Tells streams of the states of things, for as long as anybody follows one.

    A change of the database wakes whoever waits for `changes`. Were that each stream, every change would be as many
    queries as there are streams. Here it is one, for all the things that are followed.

        self._stock = Watch(db, store.stocks_of)
        ...
        async with self._stock.of(request.product_id) as states:
            async for stock in states:
                if stock.version != told:
                    ...

    Args:
        db: The database that all of this worker's streams read.
        read: Reads the states of some things, by what they are called; what is not there is left out. States are
            compared with `==`.
    """

    def __init__(
        self,
        db: "Database",
        read: "Callable[[Transaction, Collection[KeyT]], Awaitable[Mapping[KeyT, StateT]]]",
    ) -> None:
        self._db = db
        self._read = read
        self._followers: dict[KeyT, set[States[StateT]]] = {}
        self._due: set[KeyT] = set()  # what has to be looked at
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> bool:
        """Whether the database is being watched, because somebody follows something."""
        return self._task is not None

    @asynccontextmanager
    async def of(self, key: KeyT) -> AsyncGenerator[States[StateT]]:
        """Follows one thing for the block, whether it is there already or not.

        The first state is read after the block has begun: it has whatever its caller wrote before. The states end with
        `Unreachable` once the database can't be reached any more, or with what `read` raised.
        """
        states: States[StateT] = States()
        self._followers.setdefault(key, set()).add(states)
        self._look_at([key])
        if self._task is None:
            # Not in the caller's context: its deadline and its trace are its own.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        try:
            yield states
        finally:
            await self._leave(key, states)

    async def _leave(self, key: KeyT, states: States[StateT]) -> None:
        self._followers[key].discard(states)
        if not self._followers[key]:
            del self._followers[key]
        task = self._task
        if not self._followers and task is not None:
            self._task = None  # first: whoever comes while this one ends needs another
            task.cancel()
            await asyncio.wait([task])

    def _look_at(self, keys: Collection[KeyT]) -> None:
        self._due.update(keys)
        self._wake.set()

    async def _run(self) -> None:
        try:
            feed = changes(self._db)
            await anext(feed)  # no change is missed from here on
            async with asyncio.TaskGroup() as group:
                group.create_task(self._notice(feed))
                group.create_task(self._look())
        except* Exception as failed:  # noqa: BLE001 - handed to whoever follows
            if self._task is asyncio.current_task():  # or everybody had left, and who came since has another
                self._fail(failed.exceptions[0])

    def _fail(self, error: Exception) -> None:
        self._task = None
        for followers in self._followers.values():
            for states in followers:
                states.fail(error)

    async def _notice(self, feed: Changes) -> None:
        async for _ in feed:
            self._look_at(self._followers.keys())

    async def _look(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Who comes during the look waits for the next one: this one may not have what they wrote before.
            asked = {key: tuple(self._followers[key]) for key in self._due if key in self._followers}
            self._due.clear()
            found = await self._states_of(list(asked))
            for key, followers in asked.items():
                for states in followers:
                    states.offer(found.get(key))

    async def _states_of(self, keys: list[KeyT]) -> Mapping[KeyT, StateT]:
        found: dict[KeyT, StateT] = {}
        while True:
            try:
                async with self._db.read() as tx:
                    for start in range(0, len(keys), _AT_ONCE):
                        found.update(await self._read(tx, keys[start : start + _AT_ONCE]))
                    return found
            except Contended:
                # It has waited. One busy moment must not end every stream of the worker.
                _log.warning("streams wait for a look at the database", things=len(keys))
