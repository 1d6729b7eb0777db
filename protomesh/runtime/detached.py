"""Work that must be finished once it has begun, whatever becomes of the caller."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from protomesh.runtime.current import Metadatum, Scope, current
from protomesh.runtime.interruptible import Interruptible

__all__ = ["detached"]


class _Detached(Scope):
    __slots__ = ("_above",)

    def __init__(self, above: Scope | None, loop_deadline: float) -> None:
        super().__init__(above.method if above is not None else "", loop_deadline)
        self._above = above

    @property
    def forwarded(self) -> tuple[Metadatum, ...]:
        return self._above.forwarded if self._above is not None else ()


@asynccontextmanager
async def detached(*, timeout: timedelta) -> AsyncGenerator[None]:  # noqa: ASYNC109 - a time of its own is the point
    """A block that the caller's deadline and hanging up don't end: a step of a saga, its compensation, a relay.

    `timeout` is the time it has instead, and what it calls inherits; trace, request id and user stay. When the block
    ends, a caller who has hung up meanwhile ends the handler there.

    The protection is for the handler's own task. A task that the handler starts is the handler's to wait for: inside
    the block.

    Raises:
        TimeoutError: the block took longer than `timeout`.
    """
    handler = Interruptible.of(asyncio.current_task())
    deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
    token = current.set(_Detached(current.get(), deadline))
    if handler is not None:
        handler.detach()
    interrupted = False
    try:
        async with asyncio.timeout_at(deadline):
            yield
    finally:
        current.reset(token)
        if handler is not None:
            interrupted = handler.attach()
    if interrupted:
        await asyncio.sleep(0)  # the cancellation that waited is raised here and not somewhere in what follows
