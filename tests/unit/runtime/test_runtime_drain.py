import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    ExportRequest,
    ExportResponse,
    LeafServiceStub,
    WatchRequest,
    WatchResponse,
)

from protomesh.runtime import Context, detached
from protomesh.runtime.errors import status_of
from protomesh.runtime.server import CannotListen, Server

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Start = Callable[..., Any]


@pytest.fixture
async def start(leaf_servicer: Any, short_path: Path) -> AsyncGenerator[Start]:
    """Starts one server that the test drains itself; gives it with a channel."""
    channels: list[aio.Channel] = []

    async def begin(**handlers: Any) -> tuple[Server, aio.Channel]:
        server = Server([leaf_servicer(**handlers)])
        target = server.listen(f"unix:{short_path}/s")
        await server.start()
        channels.append(aio.insecure_channel(target))
        return server, channels[-1]

    yield begin
    for channel in channels:
        await channel.close()


async def test_health_is_told_for_the_server_and_each_service(start: Start) -> None:
    """SERVING from the start, NOT_FOUND for a service that it does not serve."""
    server, channel = await start()
    health: Any = health_pb2_grpc.HealthStub(channel)  # its types know the blocking stub only
    for service in ("", "probe.v1.LeafService"):
        assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING
    with pytest.raises(aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    await server.drain()


async def test_a_drain_ends_endless_streams_with_a_reason(start: Start) -> None:
    """UNAVAILABLE and STREAM_DRAINED, at once; the handler's `finally` has run."""
    watching, cleaned = asyncio.Event(), asyncio.Event()

    async def watch(_request: Any, context: Context) -> Any:
        try:
            yield WatchResponse()
            watching.set()
            await asyncio.Event().wait()
        finally:
            assert context.draining
            cleaned.set()

    server, channel = await start(Watch=watch)
    call = LeafServiceStub(channel).Watch(WatchRequest())
    await call.read()
    await watching.wait()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await server.drain()
    assert loop.time() - begun < 5  # half of the grace
    assert cleaned.is_set()
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    info = error_details_pb2.ErrorInfo()
    assert status_of(caught.value).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("STREAM_DRAINED", "protomesh")


async def test_a_handler_that_swallows_the_end_of_its_stream_does_not_look_complete(start: Start) -> None:
    """The caller must know that there is more."""

    async def watch(_request: Any, _context: Context) -> Any:
        try:
            yield WatchResponse()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

    server, channel = await start(Watch=watch)
    call = LeafServiceStub(channel).Watch(WatchRequest())
    await call.read()
    await server.drain()
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_calls_in_progress_are_finished(start: Start) -> None:
    """A unary call and a stream that ends by itself get their answers while the server drains."""
    arrived, may_answer = [asyncio.Event(), asyncio.Event()], asyncio.Event()

    async def answer(_request: Any, context: Context) -> Any:
        arrived[0].set()
        await may_answer.wait()
        return AnswerResponse(text=str(context.draining))

    async def export(_request: Any, _context: Context) -> Any:
        yield ExportResponse(number=1)
        arrived[1].set()
        await may_answer.wait()
        yield ExportResponse(number=2)

    server, channel = await start(Answer=answer, Export=export)
    stub = LeafServiceStub(channel)
    one, stream = stub.Answer(AnswerRequest()), stub.Export(ExportRequest())
    assert (await stream.read()).number == 1
    for event in arrived:
        await event.wait()
    health_stub: Any = health_pb2_grpc.HealthStub(channel)
    health = health_stub.Watch(health_pb2.HealthCheckRequest())
    assert (await health.read()).status == SERVING
    draining = asyncio.ensure_future(server.drain())
    assert (await health.read()).status == NOT_SERVING
    may_answer.set()
    assert (await one).text == "True"
    assert (await stream.read()).number == 2
    assert await stream.read() is aio.EOF
    await asyncio.wait_for(draining, 5)


async def test_a_stream_that_does_not_end_by_itself_is_ended_before_the_grace_is_over(start: Start) -> None:
    """With the reason, and not by a connection that breaks."""

    async def export(_request: Any, _context: Context) -> Any:
        yield ExportResponse()
        await asyncio.Event().wait()

    server, channel = await start(Export=export)
    call = LeafServiceStub(channel).Export(ExportRequest())
    await call.read()
    await server.drain(timedelta(seconds=1.2))
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(status_of(caught.value).details) == 1


async def test_a_drain_waits_for_detached_work(start: Start) -> None:
    """Even for that of a caller who has hung up."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    ended: list[bool] = []

    async def answer(_request: Any, _context: Context) -> Any:
        async with detached(timeout=timedelta(seconds=30)):
            begun.set()
            await may_end.wait()
            ended.append(True)
        return AnswerResponse()

    server, channel = await start(Answer=answer)
    call = LeafServiceStub(channel).Answer(AnswerRequest())
    await begun.wait()
    call.cancel()
    draining = asyncio.ensure_future(server.drain(timedelta(0)))
    done, _ = await asyncio.wait({draining}, timeout=0.1)
    assert not done
    may_end.set()
    await asyncio.wait_for(draining, 5)
    assert ended == [True]


async def test_the_socket_is_its_owners_only(start: Start, short_path: Path) -> None:
    """Mode 0600, and the process's umask is as it was."""
    mask = os.umask(0o022)
    try:
        server, _ = await start()
        assert stat.S_IMODE((short_path / "s").stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    await server.drain()


async def test_an_address_that_is_taken_is_an_error(leaf_servicer: Any) -> None:
    """Two servers never share a port."""
    first, second = Server([leaf_servicer()]), Server([leaf_servicer()])
    address = first.listen("127.0.0.1:0")
    assert address.startswith("127.0.0.1:")
    assert not address.endswith(":0")
    await first.start()
    with pytest.raises(CannotListen, match=address):
        second.listen(address)
    await first.drain()
    await second.drain()
