import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from protomesh.proxy import ProxyError, Statistics


@contextlib.asynccontextmanager
async def admin(answer: bytes) -> AsyncGenerator[tuple[str, list[str]]]:
    """An administration socket that gives one answer to everything, and the paths that it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().split(" ")[1])
        writer.write(answer)
        await writer.drain()
        writer.close()

    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        socket = str(Path(directory) / "admin.sock")
        async with await asyncio.start_unix_server(serve, socket):
            yield socket, asked


def chunked(*parts: str) -> bytes:
    """An answer in chunks, as Envoy sends it."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part.encode()) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


async def test_counters_are_read_by_name() -> None:
    """A name may hold a colon; a value that is no number is none; the pattern is quoted."""
    async with admin(chunked("cluster.a: b.up", "stream_rq: 3\nlistener.x: 4\ncluster.h: No recorded values\n")) as (
        socket,
        asked,
    ):
        assert await Statistics(socket).counters(r"^cluster\.a&") == {"cluster.a: b.upstream_rq": 3, "listener.x": 4}
    assert asked == ["/stats?type=Counters&filter=%5Ecluster%5C.a%26"]


async def test_calls_in_progress_are_those_of_the_mesh() -> None:
    """At the edge and between services; not that of whoever asks."""
    calls = {"admin": 1, "edge": 3, "egress-orders": 2}
    body = "".join(f"http.{name}.downstream_rq_active: {count}\n" for name, count in calls.items())
    async with admin(chunked(body)) as (socket, _):
        assert await Statistics(socket).calls_in_progress() == 5


async def test_a_body_of_known_length_is_read() -> None:
    """Not every answer comes in chunks."""
    async with admin(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE\nrest") as (socket, _):
        assert await Statistics(socket).get("/ready") == "LIVE\n"
        assert await Statistics(socket).ready()


async def test_it_is_not_ready_before_it_says_so() -> None:
    """503 while it initializes, nobody at all, or one who closes without a word."""
    async with admin(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n") as (socket, _):
        assert not await Statistics(socket).ready()
    async with admin(b"") as (socket, _):
        assert not await Statistics(socket).ready()
    assert not await Statistics("/nowhere/admin.sock").ready()


async def test_an_error_is_told_with_its_path() -> None:
    """A path that Envoy does not know."""
    async with admin(b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nno path") as (socket, _):
        with pytest.raises(ProxyError, match=r"^Envoy answers 404 to /nothing: no path$"):
            await Statistics(socket).get("/nothing")


async def test_a_stuck_envoy_holds_nobody() -> None:
    """It accepts and never answers."""

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closed.wait()
        writer.close()

    closed = asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        socket = str(Path(directory) / "admin.sock")
        async with await asyncio.start_unix_server(silent, socket):
            with pytest.raises(TimeoutError):
                await Statistics(socket, timeout=0.05).get("/ready")
            assert not await Statistics(socket, timeout=0.05).ready()
            closed.set()
