"""ClockService: the Python end of the chain."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from clock.v1 import ClockServiceServicer, ReadRequest, ReadResponse

from protomesh.runtime import App, Context, Mesh


class Clock(ClockServiceServicer):
    """Says what reached it."""

    async def Read(self, request: ReadRequest, context: Context, /) -> ReadResponse:  # noqa: ARG002 - it is empty
        """Tells what this call carries."""
        assert context.time_remaining is not None, "every unary call has a deadline"
        return ReadResponse(
            left_milliseconds=context.time_remaining // timedelta(milliseconds=1),
            caller=context.caller or "",
            traceparent=str(context.metadata.get("traceparent", "")),
        )


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:  # noqa: ARG001 - it calls nobody
    """Needs nothing."""
    yield App(Clock())
