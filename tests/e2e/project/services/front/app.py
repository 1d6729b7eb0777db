"""Stands before EchoService."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from echo.v1 import AskRequest, AskResponse, EchoServiceStub, FrontServiceServicer, WhisperRequest

from protomesh.runtime import App, Context, Mesh


class Front(FrontServiceServicer):
    """Asks EchoService."""

    def __init__(self, echo: EchoServiceStub) -> None:
        self.echo = echo

    async def Ask(self, request: AskRequest, context: Context, /) -> AskResponse:
        whisper = await self.echo.Whisper(WhisperRequest(text=request.text))
        return AskResponse(text=whisper.text, caller=whisper.caller)


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves."""
    yield App(Front(mesh.client(EchoServiceStub)))
