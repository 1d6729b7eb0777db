"""GreeterService, as its contract in protos/greeter/v1 promises it."""

from greeter.v1 import GreeterServiceServicer, GreetRequest, GreetResponse

from protomesh.runtime import Context


class Greeter(GreeterServiceServicer):
    """Greets whoever asks."""

    async def Greet(self, request: GreetRequest, context: Context, /) -> GreetResponse:
        return GreetResponse(greeting=f"Hello, {request.name}!")
