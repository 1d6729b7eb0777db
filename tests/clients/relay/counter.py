"""DeskService: calls another language by typed stubs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from desk.v1 import AskRequest, AskResponse, DeskServiceServicer, WaitRequest, WaitResponse
from grpc.aio import AioRpcError
from relay.v1 import RelayClosed, RelayServiceStub

from protomesh.runtime import App, Context, Mesh


class Desk(DeskServiceServicer):
    """Has the relay do it."""

    def __init__(self, relay: RelayServiceStub) -> None:
        self._relay = relay

    async def Ask(self, request: AskRequest, context: Context, /) -> AskResponse:
        """Tells what the relay answered, or how it failed."""
        try:
            return AskResponse(answer=await self._relay.Ask(request.ask))
        except RelayClosed as closed:
            failure = AskResponse.Failure(code=closed.code().name, message=closed.details(), closed_until=closed.until)
        except AioRpcError as error:
            failure = AskResponse.Failure(code=error.code().name, message=error.details())
        return AskResponse(failure=failure)

    async def Wait(self, request: WaitRequest, context: Context, /) -> WaitResponse:
        """Tells who waited."""
        return WaitResponse(waited=await self._relay.Wait(request.wait))


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Calls the relay."""
    yield App(Desk(mesh.client(RelayServiceStub)))
