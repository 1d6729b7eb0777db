"""ClockService: the end of the chain."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from clock.v1 import ClockServiceServicer, ReadRequest, ReadResponse

from protomesh.runtime import App, Context, Mesh, StatusError


class Clock(ClockServiceServicer):
    """Says what reached it, and counts."""

    def __init__(self) -> None:
        self._reads = 0
        self._cancelled = 0

    async def Read(self, request: ReadRequest, context: Context, /) -> ReadResponse:
        """Tells what this call carries."""
        self._reads += 1
        assert context.time_remaining is not None, "every unary call has a deadline"
        left = context.time_remaining // timedelta(milliseconds=1)
        try:
            await asyncio.sleep(request.hold_milliseconds / 1000)
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        if request.failure:
            raise StatusError(grpc.StatusCode[request.failure], "the clock stands still")
        return ReadResponse(
            left_milliseconds=left,
            metadata={key: value for key, value in context.metadata.items() if isinstance(value, str)},
            reads=self._reads,
            cancelled=self._cancelled,
        )


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Needs nothing."""
    yield App(Clock())
