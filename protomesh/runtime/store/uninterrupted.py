"""Steps that a cancellation must not cut in two."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["uninterrupted"]

ResultT = TypeVar("ResultT")


async def uninterrupted(step: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Awaits a short step to its end, and only then is cancelled if somebody asked for it meanwhile.

    A handler is cancelled when its deadline passes or its caller hangs up. In the middle of BEGIN, COMMIT or giving a
    connection back that would leave a connection that nobody owns and that holds the database's only write lock.
    """
    task = asyncio.ensure_future(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # seen: what the caller learns is the cancellation
    raise cancelled
