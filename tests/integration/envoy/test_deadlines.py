import asyncio
from contextlib import suppress
from typing import Any

import grpc
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
    async with lab.channel() as call:
        for name, most in (("GetItem", 2.0), ("SlowItem", 0.2)):
            handler = Remaining()
            with lab.backend.on(name, handler):
                for _ in range(20):  # on a busy machine 200 ms may be over before it begins
                    with suppress(grpc.aio.AioRpcError):
                        await call(name)
                    if handler.seconds is not None:
                        break
            assert handler.seconds is not None
            assert handler.seconds <= most


async def test_a_callers_deadline_is_handed_on_if_it_is_no_longer(lab: Lab) -> None:
    """In the place of a longer one the service gets the contract's: nothing else ends a request that does not end."""
    handler = Remaining()
    async with lab.channel() as call:
        for seconds, given in ((1.5, 1.5), (30.0, 2.0), (3600.0, 2.0)):
            with lab.backend.on("GetItem", handler):
                await call("GetItem", timeout=seconds)
            assert handler.seconds is not None
            assert given / 3 < handler.seconds < given * 1.05  # gRPC rounds what it sends


async def test_a_service_may_give_its_calls_more_time(lab: Lab) -> None:
    """Inside, what a caller says is handed on as it is."""
    handler = Remaining()
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        with lab.backend.on("GetItem", handler):
            await call("GetItem", timeout=30)
    assert handler.seconds is not None
    assert 15 < handler.seconds < 31.5


@pytest.mark.parametrize("said", ["1H", "99999999S", "nonsense", "-1S", "1", "1H,1H"])
async def test_a_deadline_that_is_none_is_the_contracts(lab: Lab, http: httpx.AsyncClient, said: str) -> None:
    """By REST and by gRPC-Web; some servers would wait for ever."""
    by_rest, by_grpc_web = Remaining(), Remaining()
    headers = {"grpc-timeout": said}
    with lab.backend.on("GetItem", by_rest):
        assert (await http.get("/v1/items/7", headers=headers)).status_code == 200
    with lab.backend.on("GetItem", by_grpc_web):
        assert (await grpc_web.call(http, "GetItem", headers=headers)).status == 0
    for handler in (by_rest, by_grpc_web):
        assert handler.seconds is not None
        assert handler.seconds <= 2


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
    """A unary call without a message gets no answer from grpcio before its deadline.

    Envoy ends it as DEADLINE_EXCEEDED; UNAVAILABLE would be an invitation to call again. From outside no deadline is
    longer than the net's.
    """
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "1H", "x-request-id": "the net"}
    inside = httpx.AsyncHTTPTransport(uds=lab.layout.egress_socket("caller"), http1=False, http2=True)
    async with httpx.AsyncClient(base_url="http://lab", transport=inside, timeout=10) as caller:
        answer = await caller.post(f"/{SERVICE}/SlowItem", content=b"", headers=headers)
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "4")
    assert (await lab.logged("the net"))["flags"] == "UT"
    for kind in ("application/grpc", "application/grpc-web+proto"):
        headers = {"content-type": kind, "te": "trailers", "grpc-timeout": "1H"}
        answer = await http2.post(f"/{SERVICE}/SlowItem", content=b"", headers=headers)
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
