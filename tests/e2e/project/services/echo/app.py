"""Says what it is told."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from echo.v1 import (
    EchoServiceServicer,
    JoinRequest,
    JoinResponse,
    RepeatRequest,
    RepeatResponse,
    SayRequest,
    SayResponse,
    TalkRequest,
    TalkResponse,
    WhisperRequest,
    WhisperResponse,
)

from protomesh.runtime import App, Context, Mesh


class Echo(EchoServiceServicer):
    """Says what it is told."""

    async def Say(self, request: SayRequest, context: Context, /) -> SayResponse:
        if request.text == "stop here":
            breakpoint()  # noqa: T100 - what the test of `protomesh run` is about
        await asyncio.sleep(request.delay_ms / 1000)
        return SayResponse(text=request.text, pid=os.getpid())

    async def Whisper(self, request: WhisperRequest, context: Context, /) -> WhisperResponse:
        return WhisperResponse(
            text=request.text,
            caller=context.caller,
            user=context.user.subject if context.user else None,
            scopes=sorted(context.user.scopes) if context.user else (),
        )

    async def Repeat(self, request: RepeatRequest, context: Context, /) -> AsyncIterator[RepeatResponse]:
        for _ in range(request.times):
            yield RepeatResponse(text=request.text)
            await asyncio.sleep(request.delay_ms / 1000)

    async def Join(self, request: AsyncIterator[JoinRequest], context: Context, /) -> JoinResponse:
        return JoinResponse(text=" ".join([message.text async for message in request]))

    async def Talk(self, request: AsyncIterator[TalkRequest], context: Context, /) -> AsyncIterator[TalkResponse]:
        async for message in request:
            yield TalkResponse(text=message.text)


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves. A file named `broken` keeps it from starting."""
    if Path("broken").exists():
        raise RuntimeError("the file `broken` is there")
    yield App(Echo())
