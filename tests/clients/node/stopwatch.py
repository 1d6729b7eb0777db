"""ClockService: the Python end of the chain."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from clock.v1 import ClockServiceServicer, ReadRequest, ReadResponse

from protomesh.runtime import App, Context, Mesh


class Clock(ClockServiceServicer):
    """Says what reached it."""

    async def Read(self, request: ReadRequest, context: Context, /) -> ReadResponse:  # noqa: ARG002 - it is empty
        """Tells what this call carries."""
        metadata = dict(context.invocation_metadata() or ())
        return ReadResponse(
            left_milliseconds=round(1000 * context.time_remaining()),
            caller=context.caller or "",
            traceparent=str(metadata.get("traceparent", "")),
        )


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:  # noqa: ARG001 - it calls nobody
    """Needs nothing."""
    yield App(Clock())
