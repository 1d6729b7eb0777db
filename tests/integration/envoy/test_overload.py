"""What a few callers do to Envoy's memory, and what it is to the others: hardly anything. Its memory is small here."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import psutil
import pytest

from tests.integration.envoy.hostile import hostile
from tests.integration.envoy.lab import Item, Lab, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024


@dataclass
class Served:
    """How a client fared that calls all the time."""

    refused: list[str] = field(default_factory=list)  # how
    answered: int = 0
    longest: float = 0  # seconds without an answer
    grown: int = 0  # bytes that Envoy had more, at most


@asynccontextmanager
async def served(lab: Lab) -> AsyncGenerator[Served]:
    """Calls beside the block, on a connection that stays. It may be refused, and nothing else may happen to it."""
    fared, done = Served(), asyncio.Event()
    envoy = psutil.Process(lab.envoy.pid)
    before = envoy.memory_info().rss

    async def call_again_and_again() -> None:
        last = time.monotonic()
        async with lab.channel() as call:
            while not done.is_set():
                try:
                    await call("GetItem", timeout=5, id="7")
                except grpc.aio.AioRpcError as error:
                    fared.refused.append(f"{error.code().name}: {error.details()}")
                else:
                    fared.answered += 1
                    fared.longest, last = max(fared.longest, time.monotonic() - last), time.monotonic()
                fared.grown = max(fared.grown, envoy.memory_info().rss - before)
                await asyncio.sleep(0.01)

    calling = asyncio.create_task(call_again_and_again())
    try:
        yield fared
    finally:
        done.set()
        await calling
    assert set(fared.refused) <= {"UNAVAILABLE: envoy overloaded"}


def with_heap(mebibytes: int) -> Any:
    """What makes an Envoy of so much memory."""

    def adjust(bootstrap: dict[str, Any]) -> None:
        (heap, _) = bootstrap["overload_manager"]["resource_monitors"]
        heap["typed_config"]["max_heap_size_bytes"] = mebibytes * MIB

    return adjust


async def serves_as_before(lab: Lab) -> None:
    """Who comes by gRPC, and who comes by REST with a large body."""
    async with lab.channel() as call, httpx.AsyncClient(base_url=lab.url, timeout=10) as http:
        assert (await call("CreateItem", id="7")).id == "7"
        assert (await http.post("/v1/items", json={"note": "x" * MIB})).status_code == 200


async def test_who_holds_most_is_ended_before_others_are_refused() -> None:
    """Answers that nobody takes: 1,500 of 64 KiB on 30 connections, in the place of 96 MiB. Theirs end, one by one."""
    async with running_lab(adjust=with_heap(112)) as lab, AsyncExitStack() as stack:

        async def large(_request: Any, _context: Any) -> Any:
            return Item(note="x" * 65536)

        with lab.backend.on("CreateItem", large):
            async with served(lab) as fared:
                for _ in range(30):
                    client = await stack.enter_async_context(hostile(lab.address, window=0))
                    before = lab.backend.calls["CreateItem"]
                    for _ in range(50):
                        client.call("CreateItem")
                    await client.send()
                    for _ in range(30):  # a refused one is not begun
                        if lab.backend.calls["CreateItem"] == before + 50:
                            break
                        await asyncio.sleep(0.01)
                    await asyncio.sleep(0.1)  # slower than the limits are looked at
        count = "envoy.overload_actions.reset_high_memory_stream.count"
        assert (await lab.envoy.statistics.counters(rf"^{count}$"))[count] >= 200
        await serves_as_before(lab)
    assert len(fared.refused) < fared.answered / 4
    assert fared.longest < 3
    assert fared.grown < 112 * MIB


async def test_bodies_that_are_kept_are_kept_for_the_contract_s_deadline() -> None:
    """24 of 15 MiB by REST, none of which ends, in the place of 192 MiB. Envoy counts them for no stream."""
    async with running_lab(adjust=with_heap(226)) as lab, served(lab) as fared, asyncio.timeout(60):
        async with asyncio.TaskGroup() as bodies:
            for _ in range(24):
                bodies.create_task(_unfinished(lab, 15 * MIB))
                await asyncio.sleep(0.1)
        await serves_as_before(lab)
    assert fared.longest < 5  # two seconds, says the contract
    assert fared.grown < 300 * MIB


async def _unfinished(lab: Lab, size: int) -> None:
    """Sends all of a body but its end, until somebody has had enough."""
    host, port = lab.address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    began = time.monotonic()
    head = f"POST /v1/items HTTP/1.1\r\nhost: lab\r\ncontent-type: application/json\r\ncontent-length: {size + 1000}"
    try:
        writer.write(f'{head}\r\n\r\n{{"note": "'.encode())
        for _ in range(0, size, 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
        assert (await reader.readuntil(b"\r\n")).startswith((b"HTTP/1.1 504 ", b"HTTP/1.1 503 "))
    except ConnectionError:
        pass  # refused while it was being sent
    finally:
        writer.transport.abort()
    assert time.monotonic() - began < 15
