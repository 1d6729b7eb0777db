"""ProbeService: answers so that a client's output tells what arrived."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from probe.v1 import (
    CountRequest,
    CountResponse,
    EchoRequest,
    EchoResponse,
    HoldRequest,
    HoldResponse,
    InspectRequest,
    InspectResponse,
    OutOfStock,
    ProbeServiceServicer,
    TakeRequest,
    TakeResponse,
    TalkRequest,
    TalkResponse,
)

from protomesh.runtime import App, Context, Mesh


class Prober(ProbeServiceServicer):
    """Has one method of each kind."""

    async def Echo(self, request: EchoRequest, context: Context, /) -> EchoResponse:
        """Sends the sample back, and metadata after it."""
        assert context.user is not None, "the mesh lets nobody in without a token"
        context.add_trailing_metadata("x-probe-answer", context.metadata.get("x-probe", ""))
        context.add_trailing_metadata("x-probe-user", context.user.subject)
        return EchoResponse(sample=request.sample)

    async def Count(self, request: CountRequest, context: Context, /) -> AsyncIterator[CountResponse]:
        """Counts from one."""
        for number in range(1, request.to + 1):
            yield CountResponse(number=number)

    async def Talk(self, requests: AsyncIterator[TalkRequest], context: Context, /) -> AsyncIterator[TalkResponse]:
        """Answers each text before it reads the next."""
        async for request in requests:
            yield TalkResponse(text=request.text.upper())

    async def Hold(self, request: HoldRequest, context: Context, /) -> HoldResponse:
        """Takes its time."""
        await asyncio.sleep(request.milliseconds / 1000)
        return HoldResponse()

    async def Take(self, request: TakeRequest, context: Context, /) -> TakeResponse:
        """Never has enough."""
        raise OutOfStock(sku=request.sku, available=2)

    async def Inspect(self, request: InspectRequest, context: Context, /) -> InspectResponse:
        """Is for services."""
        return InspectResponse()


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Needs nothing."""
    yield App(Prober())
