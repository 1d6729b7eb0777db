import asyncio
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protomesh.targets.envoy import Override
from tests.integration.envoy.lab import Item, failure, origin, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_open_streams_leave_room_for_unary_calls() -> None:
    """A service takes two unary calls at a time here and has six streams open: unary calls pass.

    Two that wait and a third that is refused show that the limit is there.
    """
    thresholds = [{"priority": "DEFAULT", "max_requests": 2}, {"priority": "HIGH", "max_requests": 100}]
    limit = Override(kind="cluster", name="lab", body={"circuit_breakers": {"thresholds": thresholds}}, origin=origin())
    end = asyncio.Event()

    async def watch(_: Any, __: Any) -> Any:
        yield Item(id="open")
        await end.wait()

    waiting = asyncio.Semaphore(0)

    async def wait(_: Any, __: Any) -> Any:
        waiting.release()
        await end.wait()
        return Item()

    async with running_lab(overrides=[limit]) as lab, lab.channel() as call:
        with lab.backend.on("WatchItems", watch), lab.backend.on("CreateItem", wait):
            streams = [call("WatchItems") for _ in range(6)]
            assert [(await stream.read()).id for stream in streams] == ["open"] * 6
            assert (await call("GetItem", id="7")).id == "7"

            waiters = [asyncio.ensure_future(_answer(call("CreateItem"))) for _ in range(2)]
            async with asyncio.timeout(5):
                for _ in waiters:
                    await waiting.acquire()
            assert (await failure(call("CreateItem"))).code().name == "UNAVAILABLE"
            end.set()
            await asyncio.gather(*waiters)
            assert [await stream.read() for stream in streams] == [grpc.aio.EOF] * 6


async def _answer(call: Any) -> Any:
    return await call


async def test_watchers_of_the_health_leave_room_for_who_asks_once() -> None:
    """The mesh's own API has the threshold of streams too, which is 2 for all else here."""
    thresholds = [{"priority": "DEFAULT", "max_requests": 2}, {"priority": "HIGH", "max_requests": 100}]
    limit = Override(
        kind="cluster", name="edge-api", body={"circuit_breakers": {"thresholds": thresholds}}, origin=origin()
    )
    async with running_lab(overrides=[limit]) as lab, grpc.aio.insecure_channel(lab.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="edge-api")
        watches = [stub.Watch(request) for _ in range(6)]
        assert [(await watch.read()).status for watch in watches] == [health_pb2.HealthCheckResponse.SERVING] * 6
        assert (await stub.Check(request)).status == health_pb2.HealthCheckResponse.SERVING


async def test_healthz_is_503_while_an_exposed_service_has_no_endpoint() -> None:
    """A load balancer before two such Envoys then goes to the other; callers are told UNAVAILABLE."""
    async with running_lab(backends=0) as lab, httpx.AsyncClient(base_url=lab.url) as http, lab.channel() as call:
        assert (await http.get("/healthz")).status_code == 503
        assert (await failure(call("GetItem"))).code().name == "UNAVAILABLE"
        answer = await http.get("/v1/items/7")
        assert (answer.status_code, answer.json()["code"]) == (503, 14)
