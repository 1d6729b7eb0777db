"""What one client can do to the others: nothing. Each attack has a good client beside it, and a bound on memory."""

import asyncio
import json
import socket
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from tests.integration.envoy.hostile import hostile
from tests.integration.envoy.lab import Item, Lab, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}


@dataclass
class Good:
    """A client that calls all the time, and how it fared."""

    seconds: list[float] = field(default_factory=list)
    grown: int = 0  # bytes that Envoy had more, at most


@asynccontextmanager
async def good_client(lab: Lab) -> AsyncGenerator[Good]:
    """Calls beside the block, once at least; every call has to be answered, 99 of 100 within two seconds."""
    good, done = Good(), asyncio.Event()
    envoy = psutil.Process(lab.envoy.pid)
    before = envoy.memory_info().rss

    async def call_again_and_again() -> None:
        async with lab.channel() as call:
            while not done.is_set() or not good.seconds:
                began = time.monotonic()
                assert (await call("GetItem", timeout=5, id="7")).id == "7"
                good.seconds.append(time.monotonic() - began)
                good.grown = max(good.grown, envoy.memory_info().rss - before)

    calling = asyncio.create_task(call_again_and_again())
    try:
        yield good
    finally:
        done.set()
        await calling
    assert statistics.quantiles([*good.seconds, *good.seconds], n=100)[98] < 2


async def test_who_resets_streams_as_fast_as_it_opens_them_is_cut() -> None:
    """CVE-2023-44487. The connection ends long before 5,000, and most of it never reaches a service."""
    async with running_lab() as lab, good_client(lab) as good, hostile(lab.address) as client:
        opened = 0
        for _ in range(500):
            for _ in range(10):
                client.h2.reset_stream(client.call("GetItem", end=False))
            opened += 10
            if not await client.send():
                break
        assert await client.closed(within=10)
        assert opened < 5000
    assert good.grown < 32 * MIB


async def test_headers_without_an_end_are_cut() -> None:
    """CONTINUATION frames for ever (CVE-2024-30255): the connection ends, and what they held is not kept."""
    async with running_lab() as lab, good_client(lab) as good, hostile(lab.address) as client:
        await client.send(_frame(1, 0, 1, b"\x82\x86\x84"))
        sent, more = 0, _frame(9, 0, 1, (b"\x00\x05x-abc\x7f\x81\x3e" + b"a" * 8000) * 2)
        while await client.send(more) and sent < 100 * MIB:
            sent += len(more)
        assert await client.closed(within=10)
        assert sent < 50 * MIB  # what the sockets hold is counted, too
    assert good.grown < 32 * MIB


async def test_an_answer_that_nobody_takes_is_not_kept() -> None:
    """20 connections with 100 calls each and no room for an answer of 64 KiB: they end when nothing moves."""
    async with running_lab(adjust=_flushed_in_a_second) as lab, good_client(lab) as good, AsyncExitStack() as stack:

        async def large(_request: Any, _context: Any) -> Any:
            return Item(note="x" * 65536)

        clients = [await stack.enter_async_context(hostile(lab.address, window=0)) for _ in range(20)]
        with lab.backend.on("CreateItem", large):
            for number, client in enumerate(clients, start=1):
                for _ in range(100):
                    client.call("CreateItem")
                await client.send()
                async with asyncio.timeout(20):
                    while lab.backend.calls["CreateItem"] < number * 100:
                        await asyncio.sleep(0.001)
        async with asyncio.timeout(20):
            active = "http.edge.downstream_rq_active"
            while (await lab.envoy.statistics.gauges(rf"^{active}$"))[active] > 1:  # the good client's
                await asyncio.sleep(0.05)
    assert good.grown < 400 * MIB


async def test_a_stream_of_which_nobody_takes_anything_holds_up_no_other() -> None:
    """100 of one client, all to one worker, each with more to tell than a window holds; others get all of theirs."""
    async with running_lab() as lab, good_client(lab), hostile(lab.address, window=0) as client:

        async def tell(request: Any, _context: Any) -> AsyncGenerator[Any]:
            for _ in range(10 if request.id else 100_000):
                yield Item(note="x" * 65536)

        with lab.backend.on("WatchItems", tell):  # type: ignore[arg-type] # a stream is answered by a generator
            for _ in range(100):
                client.call("WatchItems")
            await client.send()
            paused = "cluster.lab.upstream_flow_control_paused_reading_total"
            async with asyncio.timeout(20):
                while (await lab.envoy.statistics.counters(rf"^{paused}$"))[paused] < 100:
                    await asyncio.sleep(0.01)
            async with lab.channel() as call:
                for _ in range(3):
                    assert len([item async for item in call("WatchItems", timeout=10, id="7")]) == 10


async def test_a_body_that_stops_halfway_is_not_waited_for() -> None:
    """By REST, where the message has to be whole before a service hears of it."""
    async with running_lab() as lab, good_client(lab):
        host, port = lab.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/small HTTP/1.1\r\nhost: lab\r\ncontent-type: application/json\r\n")
        writer.write(b'content-length: 100\r\n\r\n{"note": "')
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.1 504 ")
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_comes_drop_by_drop_has_the_contract_s_time() -> None:
    """It is never idle, and may say that it has an hour, or nonsense: what it has sent is kept for two seconds."""
    async with running_lab() as lab, good_client(lab), asyncio.timeout(20), asyncio.TaskGroup() as drops:
        for deadline in ("", "grpc-timeout: 1H\r\n", "grpc-timeout: 99999999S\r\n", "grpc-timeout: soon\r\n"):
            drops.create_task(_drop_by_drop(lab, deadline))


async def _drop_by_drop(lab: Lab, headers: str) -> None:
    host, port = lab.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/items HTTP/1.1\r\nhost: lab\r\ncontent-type: application/json\r\n{headers}"
    writer.write(f'{head}content-length: 1000000\r\n\r\n{{"note": "'.encode())
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    while not answer.done():
        writer.write(b"x")
        await writer.drain()
        await asyncio.wait({answer}, timeout=0.2)
    assert answer.result().startswith(b"HTTP/1.1 504 ")
    writer.transport.abort()


async def test_a_body_of_100_mib_is_refused_before_it_is_here() -> None:
    """By REST and by gRPC; nobody keeps it."""
    async with running_lab() as lab, good_client(lab) as good:
        async with httpx.AsyncClient(base_url=lab.url, timeout=20) as http:
            with suppress(httpx.WriteError, httpx.ReadError):  # it may be sent away in the middle of a word
                refused = await http.post("/v1/small", content=_text(100 * MIB), headers=JSON)
                assert refused.status_code == 413
            assert (await http.post("/v1/small", content=_text(1000), headers=JSON)).status_code == 200
        async with hostile(lab.address) as client:
            stream = client.call("GetItem", end=False)
            sent = 0
            while sent < 100 * MIB and client.h2.local_flow_control_window(stream) > 16384:
                client.h2.send_data(stream, b"x" * 16384)
                sent += 16384
                if not await client.send():
                    break
            assert sent < 10 * MIB
    assert good.grown < 150 * MIB


async def test_over_http_2_the_413_is_whole_before_the_stream_is_reset() -> None:
    """With NO_ERROR, as RFC 9113 has it (8.1): who reads has the answer, and need not send the rest."""
    async with running_lab() as lab, hostile(lab.address) as client:
        headers = {":method": "POST", ":scheme": "http", ":authority": "lab", ":path": "/v1/items", **JSON}
        client.h2.send_headers(1, [*headers.items(), ("content-length", str(20 * MIB))])
        client.h2.send_data(1, b'{"note": "')
        await client.send()
        heard: list[Any] = [event for event in await client.answer() if getattr(event, "stream_id", 0) == 1]
    assert [type(event) for event in heard] == [ResponseReceived, DataReceived, StreamEnded, StreamReset]
    answered, body, _, reset = heard
    assert dict(answered.headers)[":status"] == "413"
    assert json.loads(body.data)["code"] == 8
    assert reset.error_code == 0


async def test_streams_that_50_connections_hold_are_not_missed_by_others() -> None:
    """2,000 together: others call and watch, and the service may have sixteen times as many."""
    async with running_lab() as lab, good_client(lab) as good, AsyncExitStack() as stack:

        async def silent(request: Any, _context: Any) -> AsyncGenerator[Any]:
            if request.id:
                yield Item(id=request.id)
                return
            await asyncio.Event().wait()

        stack.enter_context(lab.backend.on("WatchItems", silent))  # type: ignore[arg-type] # a stream is answered by a generator
        for number in range(1, 51):
            client = await stack.enter_async_context(hostile(lab.address))
            for _ in range(40):
                client.call("WatchItems")
            await client.send()
            # One after the other: a server of gRPC refuses what comes faster than it can look at.
            async with asyncio.timeout(20):
                while lab.backend.calls["WatchItems"] < number * 40:
                    await asyncio.sleep(0.001)
        async with lab.channel() as call:
            assert [item.id async for item in call("WatchItems", id="7")] == ["7"]
    assert good.grown < 300 * MIB


async def test_calls_that_50_connections_leave_unfinished_are_not_missed_by_others() -> None:
    """Unary ones whose message does not come, 2,000 together: they are ended, and meanwhile others are served."""
    async with running_lab() as lab, good_client(lab) as good, lab.channel() as call, AsyncExitStack() as stack:
        for _ in range(50):
            client = await stack.enter_async_context(hostile(lab.address))
            for _ in range(40):
                client.call("CreateItem", None)
            await client.send()
            assert (await call("CreateItem", id="7")).id == "7"
        active = "http.edge.downstream_rq_active"
        async with asyncio.timeout(20):
            while (await lab.envoy.statistics.gauges(rf"^{active}$"))[active] > 1:  # the good client's
                await asyncio.sleep(0.05)
    assert good.grown < 300 * MIB


async def test_a_connection_has_256_calls_at_a_time_and_no_more() -> None:
    """Of 400 that it begins at once, no more come to the service."""
    async with running_lab() as lab, good_client(lab), hostile(lab.address) as client:

        async def never(_request: Any, _context: Any) -> Any:
            await asyncio.Event().wait()

        with lab.backend.on("SlowItem", never):
            for _ in range(400):
                client.call("SlowItem")
            await client.send()
            async with asyncio.timeout(20):
                while lab.backend.calls["SlowItem"] < 256:
                    await asyncio.sleep(0.01)
            assert not await client.closed(within=1)
            assert lab.backend.calls["SlowItem"] == 256


async def test_idle_connections_cost_little() -> None:
    """10,000 that say nothing, of two addresses. Who is there and who comes is served; the mesh takes 15,000."""
    async with running_lab() as lab, good_client(lab) as good, AsyncExitStack() as stack:
        host, port = lab.address.rsplit(":", 1)
        for number in range(10_000):
            source = (f"127.0.0.{2 + number % 2}", 0)
            stack.enter_context(socket.create_connection((host, int(port)), timeout=10, source_address=source))
            await asyncio.sleep(0)  # to the good client
        async with httpx.AsyncClient(base_url=lab.url, timeout=5) as newcomer:
            assert (await newcomer.get("/v1/items/7")).status_code == 200
    assert good.grown < 300 * MIB


async def _text(size: int) -> AsyncGenerator[bytes]:
    """A message in JSON with so much text, one piece after the other."""
    yield b'{"note": "'
    for begin in range(0, size, 65536):
        yield b"x" * min(65536, size - begin)
    yield b'"}'


def _flushed_in_a_second(bootstrap: dict[str, Any]) -> None:
    (edge,) = (item for item in bootstrap["static_resources"]["listeners"] if item["name"] == "edge")
    manager = edge["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["stream_flush_timeout"] == "10s"
    manager["stream_flush_timeout"] = "1s"


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content
