"""How long fakes live: as long as anything in their event loop is served or run."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["Actor", "Stage", "stage"]


class Actor(Protocol):
    """Something that a stage keeps, and asks for complaints when a block ends."""

    def complaints(self) -> list[str]:
        """What went wrong that the test has to know, each told once."""

    async def leave(self) -> None:
        """Ends."""


class Stage:
    """The actors of one event loop, and how many blocks still need them."""

    def __init__(self) -> None:
        self._blocks = 0
        self._actors: list[Actor] = []

    def add(self, actor: Actor) -> None:
        """Ends the actor with the last block."""
        self._actors.append(actor)

    @asynccontextmanager
    async def block(self) -> AsyncGenerator[None]:
        """Keeps the actors alive; at its end every complaint fails the test, whatever else went wrong.

        Raises:
            AssertionError: an actor complains.
        """
        self._blocks += 1
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            self._blocks -= 1
            complaints = [complaint for actor in self._actors for complaint in actor.complaints()]
            if not self._blocks:
                async with AsyncExitStack() as stack:
                    while self._actors:
                        stack.push_async_callback(self._actors.pop().leave)
            if complaints:
                # What was not prepared is the cause of what the test saw fail, so it is told instead.
                raise AssertionError("\n".join(complaints)) from failure


_stages: WeakKeyDictionary[asyncio.AbstractEventLoop, Stage] = WeakKeyDictionary()


def stage() -> Stage:
    """The stage of the running event loop."""
    return _stages.setdefault(asyncio.get_running_loop(), Stage())
