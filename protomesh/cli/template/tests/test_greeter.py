import grpc
import pytest
from greeter.v1 import GreeterServiceStub, GreetRequest

from protomesh.testing import serving
from services.greeter.service import Greeter


async def test_it_greets_by_name() -> None:
    """A real call, over a real socket."""
    async with serving(Greeter(), GreeterServiceStub) as greeter:
        response = await greeter.Greet(GreetRequest(name="Ada"))

    assert response.greeting == "Hello, Ada!"


async def test_nobody_has_no_greeting() -> None:
    """The contract asks for a name, so the servicer never sees a call without one."""
    async with serving(Greeter(), GreeterServiceStub) as greeter:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await greeter.Greet(GreetRequest())

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
