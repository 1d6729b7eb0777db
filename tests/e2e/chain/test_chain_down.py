"""The end of a mesh under traffic. Each test ends its own."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from protomesh.proxy import Statistics
from tests.e2e import reach
from tests.e2e.chain.caller import Caller, Contracts
from tests.e2e.mesh import Mesh, mesh_of

GET = "chain.front.v1.FrontService/Get"
PUT = "chain.front.v1.FrontService/Put"
WATCH = "chain.leaf.v1.LeafService/Watch"


@pytest.fixture
def chain(built: Path, tmp_path: Path) -> Iterator[Mesh]:
    """The project, up, for one test."""
    root = tmp_path / "chain"
    shutil.copytree(built, root)
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
        yield mesh


@pytest.fixture
def contracts(chain: Mesh) -> Contracts:
    """The project's messages."""
    return Contracts(chain.root)


async def test_calls_in_progress_are_answered(chain: Mesh, contracts: Contracts) -> None:
    """They are in the first service when the mesh is told to end, and still go through two more; REST does likewise."""
    async with reach.edge(chain) as channel, reach.http(chain) as http:
        edge = Caller(channel, contracts)
        calls = [
            asyncio.create_task(edge.call(method, key=f"{method[-3:]}{number}", delay_ms=1500))
            for method in (GET, PUT)
            for number in range(10)
        ]
        rest = [asyncio.create_task(http.get(f"/v1/chain/r{number}?knobs.delay_ms=1500")) for number in range(5)]
        await _in_progress(chain, len(calls) + len(rest))

        down = asyncio.create_task(asyncio.to_thread(chain.protomesh, "down", check=True))
        answers = await asyncio.gather(*calls)
        responses = await asyncio.gather(*rest)
        await down

    assert [[hop["service"] for hop in hops] for hops in answers] == [["front", "middle", "leaf"]] * 20
    assert [response.status_code for response in responses] == [200] * 5
    assert (chain.processes(), chain.sockets(), chain.listens()) == ([], [], False)


async def test_under_load_nothing_fails_but_what_comes_too_late(chain: Mesh, contracts: Contracts) -> None:
    """A call that was begun before the end is answered. One that is begun later is answered, or finds nobody there."""
    outcomes: Counter[str] = Counter()
    asked = asyncio.Event()

    async def call_until_refused(caller: Caller, method: str, delay_ms: int, key: str) -> None:
        while True:
            before = not asked.is_set()
            try:
                await caller.call(method, key=key, delay_ms=delay_ms)
            except grpc.aio.AioRpcError as error:
                outcomes[f"{'before' if before else 'after'}: {error.code().name}"] += 1
                if not before:
                    return
            else:
                outcomes["OK"] += 1

    async with reach.edge(chain) as first, reach.edge(chain, ("grpc.use_local_subchannel_pool", 1)) as second:
        tasks = [
            asyncio.create_task(
                call_until_refused(Caller(channel, contracts), method, delay_ms, f"{method[-3:]}{number}")
            )
            for channel in (first, second)
            for method in (GET, PUT)
            for number, delay_ms in enumerate((0, 0, 50, 300))
        ]
        async with asyncio.timeout(30):
            while outcomes["OK"] < 100:
                await asyncio.sleep(0.01)
        asked.set()
        await asyncio.to_thread(chain.protomesh, "down", check=True)
        await asyncio.gather(*tasks)

    assert set(outcomes) == {"OK", "after: UNAVAILABLE"}
    assert outcomes["after: UNAVAILABLE"] == len(tasks)


async def test_an_open_stream_does_not_hold_the_end_up(chain: Mesh, contracts: Contracts) -> None:
    """It is told that its worker drains, long before calls that do not end would be cut off."""
    async with reach.edge(chain) as channel:
        stream = Caller(channel, contracts).stream(WATCH, 60)
        await anext(aiter(stream))
        asked = time.monotonic()
        down = asyncio.create_task(asyncio.to_thread(chain.protomesh, "down", check=True))
        with pytest.raises(grpc.aio.AioRpcError) as drained:
            async for _ in stream:
                pass
        await down

    assert drained.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "the worker is going away" in (drained.value.details() or "")
    assert time.monotonic() - asked < 8


async def test_new_callers_are_refused_while_others_are_answered(chain: Mesh, contracts: Contracts) -> None:
    """Whoever balances between several meshes learns at once that this one ends."""
    async with reach.edge(chain) as channel:
        call = asyncio.create_task(Caller(channel, contracts).call(GET, key="slow", delay_ms=2000))
        await _in_progress(chain, 1)
        down = asyncio.create_task(asyncio.to_thread(chain.protomesh, "down", check=True))
        async with asyncio.timeout(10):
            while chain.listens():
                await asyncio.sleep(0.02)
        assert not call.done()

        assert len(await call) == 3
        await down


async def _in_progress(mesh: Mesh, count: int) -> None:
    """Waits until Envoy has so many calls at the edge."""
    statistics = Statistics(reach.layout(mesh).envoy_admin_socket)
    async with asyncio.timeout(20):
        while (await statistics.gauges(r"^http\.edge\.downstream_rq_active$")).get(
            "http.edge.downstream_rq_active", 0
        ) < count:
            await asyncio.sleep(0.02)
