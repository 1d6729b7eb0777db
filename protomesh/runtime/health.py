"""grpc.health.v1, whose watchers don't hold up the end of a worker."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from protomesh.runtime.drain import Drain
from protomesh.runtime.interruptible import Interruptible, Interruption

__all__ = ["Health"]


class Health(health.aio.HealthServicer):
    """Answers for the server as a whole ("") and for each RPC service by its full name."""

    def __init__(self, drain: Drain) -> None:
        super().__init__()
        self._drain = drain

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802 - the contract's
        """Tells the state now and whenever it changes, until the worker drains."""
        watch = Interruptible.here()
        self._drain.enter(watch, resumable=True)
        try:
            if not self._drain.begun:
                await super().Watch(request, context)
        except asyncio.CancelledError:
            if watch.interruption is not Interruption.DRAIN:
                raise
        finally:
            self._drain.leave(watch)
            watch.end()
        # The change may not have reached the watcher yet; told twice it does no harm.
        await context.write(health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the worker is going away")
