import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.integration.envoy.lab import Lab, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST = b"GET /v1/items/7 HTTP/1.1\r\nhost: lab\r\n\r\n"
# The preface, settings, and a first part of the headers: GET http /.
HALF_OF_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x03\x01\0\0\0\0\x01\x82\x86\x84"


def _one_second_for_headers(bootstrap: dict[str, Any]) -> None:
    (edge,) = (item for item in bootstrap["static_resources"]["listeners"] if item["name"] == "edge")
    manager = edge["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["request_headers_timeout"] == "10s"
    manager["request_headers_timeout"] = "1s"


def _two_connections(bootstrap: dict[str, Any]) -> None:
    monitors = {monitor["name"]: monitor for monitor in bootstrap["overload_manager"]["resource_monitors"]}
    monitor = monitors["envoy.resource_monitors.global_downstream_max_connections"]
    assert monitor["typed_config"]["max_active_downstream_connections"] == 15_000
    monitor = monitor | {"typed_config": monitor["typed_config"] | {"max_active_downstream_connections": 2}}
    bootstrap["overload_manager"] = {"resource_monitors": [monitor]}


@contextlib.asynccontextmanager
async def _connection(lab: Lab) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*lab.address.split(":"))
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request on this connection is answered; a connection over the limit is closed without a word."""
    try:
        writer.write(REQUEST)
        return (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False


async def test_who_does_not_finish_a_request_is_cut() -> None:
    """Half a request line and half the headers: 408, and the connection is closed. Who was quicker is served.

    Of HTTP/2, where a connection has other calls, only the stream ends.
    """
    async with running_lab(adjust=_one_second_for_headers) as lab:
        for half in (REQUEST[:9], REQUEST[:-4], REQUEST[:-2]):
            async with _connection(lab) as (reader, writer):
                writer.write(half)
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 408 ")
                assert json.loads(body) == {"code": 4, "message": "request header timeout"}
        async with _connection(lab) as (reader, writer):
            writer.write(HALF_OF_HTTP2)
            await reader.readuntil(b'{"code":4,"message":"request header timeout"}')
        async with _connection(lab) as (reader, writer):
            assert await _answers(reader, writer)


async def test_strangers_have_so_many_connections_and_no_more() -> None:
    """One more is closed at once. The inside goes on, and a connection that ends makes room for another."""
    async with running_lab(adjust=_two_connections) as lab:
        async with _connection(lab) as first, _connection(lab) as second:
            assert await _answers(*first)
            assert await _answers(*second)
            async with _connection(lab) as third:
                assert not await _answers(*third)
            for socket in (lab.layout.egress_socket("caller"), lab.layout.operator_socket):
                async with lab.channel(f"unix:{socket}") as call:
                    assert (await call("GetItem", id="7")).id == "7"
            assert await lab.envoy.statistics.ready()
        async with asyncio.timeout(10):
            while True:
                async with _connection(lab) as fourth:
                    if await _answers(*fourth):
                        break
