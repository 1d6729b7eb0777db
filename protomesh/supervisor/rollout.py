"""How one worker takes the place of another without a failed call."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from protomesh.supervisor.worker import Launch, Worker

__all__ = ["GRACE", "STARTUP", "replace"]

STARTUP = timedelta(seconds=60)  # how long a worker may take until it serves
GRACE = timedelta(seconds=12)  # how long one may take to drain; its own server stops after 10
_SETTLE = 0.15  # seconds from Envoy's acknowledgement until none of its threads picks the old endpoint any more


async def replace(
    old: Worker | None, launch: Launch, swap: Callable[[Worker], Awaitable[None]], *, spawned: Callable[[Worker], None]
) -> Worker:
    """Starts a new worker and, once Envoy uses it, ends the old one.

    The order is the one that loses no call: the new worker listens on a NEW path (a stopping gRPC server unlinks its
    path, and would take its successor's socket with it); it serves; `swap` tells Envoy and returns when Envoy has
    acknowledged; a moment passes; only then the old one is asked to drain.

    `spawned` hears of the process at once, so that it can be written down before anything else happens.

    Raises:
        WorkerFailed: the new worker did not serve. It is ended, and the old one serves on.
    """
    new = Worker.spawn(launch)
    spawned(new)
    try:
        await new.wait_serving(STARTUP)
    except BaseException:
        await asyncio.shield(new.stop(GRACE))
        raise
    try:
        await swap(new)
    except BaseException:
        await asyncio.shield(new.stop(GRACE))
        raise
    if old is not None:
        await asyncio.sleep(_SETTLE)
        await old.stop(GRACE)
    return new
