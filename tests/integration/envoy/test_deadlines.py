import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import SERVICE, Item, Lab, failure

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Remaining:
    """A handler that notes how much time it was given, in seconds."""

    def __init__(self) -> None:
        self.seconds: float | None = None

    async def __call__(self, _: Any, context: Any) -> Any:
        self.seconds = context.time_remaining()
        return Item()


async def test_a_call_without_a_deadline_gets_the_contracts(lab: Lab) -> None:
    """GetItem may take two seconds, SlowItem 200 ms; the service is told."""
    handler = Remaining()
    async with lab.channel() as call:
        for name, most in (("GetItem", 2.0), ("SlowItem", 0.2)):
            with lab.backend.on(name, handler):
                await call(name)
            assert handler.seconds is not None
            assert most / 2 < handler.seconds <= most


async def test_a_callers_deadline_is_handed_on_as_it_is(lab: Lab) -> None:
    """A shorter one and a longer one; the service's runtime caps the longer one."""
    handler = Remaining()
    async with lab.channel() as call:
        for seconds in (0.5, 30.0):
            with lab.backend.on("GetItem", handler):
                await call("GetItem", timeout=seconds)
            assert handler.seconds is not None
            assert seconds * 0.8 < handler.seconds < seconds * 1.05  # gRPC rounds what it sends


async def test_a_stream_has_no_deadline_unless_its_contract_asks(lab: Lab) -> None:
    """WatchItems has none."""
    seconds: list[float | None] = []

    async def watch(_: Any, context: Any) -> Any:
        seconds.append(context.time_remaining())
        yield Item(id="1")

    with lab.backend.on("WatchItems", watch):
        async with lab.channel() as call:
            assert [item.id async for item in call("WatchItems")] == ["1"]
    assert seconds == [None] or (seconds[0] is not None and seconds[0] > 1e6)


async def test_a_late_service_is_deadline_exceeded(lab: Lab, http: httpx.AsyncClient) -> None:
    """By gRPC, gRPC-Web and REST, though the caller has set no deadline."""

    async def late(_: Any, __: Any) -> Any:
        await asyncio.Event().wait()

    with lab.backend.on("SlowItem", late):
        async with lab.channel() as call:
            assert (await failure(call("SlowItem"))).code().name == "DEADLINE_EXCEEDED"
        answer = await http.get("/v1/slow")
        assert (answer.status_code, answer.json()["code"]) == (504, 4)
        assert (await grpc_web.call(http, "SlowItem")).status == 4


async def test_a_service_that_never_answers_ends_at_the_net(lab: Lab, http2: httpx.AsyncClient) -> None:
    """A unary call without a message gets no answer from grpcio, ever.

    Envoy ends it as DEADLINE_EXCEEDED; UNAVAILABLE would be an invitation to call again.
    """
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "1H"}
    answer = await http2.post(f"/{SERVICE}/SlowItem", content=b"", headers=headers)
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "4")
    assert (await lab.logged(answer.headers["x-request-id"]))["flags"] == "UT"
    web = {"content-type": "application/grpc-web+proto", "grpc-timeout": "1H"}
    answer = await http2.post(f"/{SERVICE}/SlowItem", content=b"", headers=web)
    assert answer.headers["grpc-status"] == "4"


async def test_a_request_that_stops_halfway_ends_too(lab: Lab) -> None:
    """A message is announced and does not come: the call is idle, and ends a second after the net."""
    reader, writer = await asyncio.open_connection(*lab.address.split(":"))
    request = (
        f"POST /{SERVICE}/SlowItem HTTP/1.1\r\nhost: lab\r\ncontent-type: application/grpc-web+proto\r\n"
        "content-length: 105\r\n\r\n"
    )
    writer.write(request.encode() + b"\0\0\0\0\x64abc")
    await writer.drain()
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert b"grpc-status: 4" in head
