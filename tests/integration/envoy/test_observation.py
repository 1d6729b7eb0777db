import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import httpx
import pytest

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import SERVICE, Item, Lab, failure

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_method_has_counters_of_its_own_and_no_caller_can_make_more(lab: Lab, http: httpx.AsyncClient) -> None:
    """Calls are counted by method and status, however they come; names that no contract has make no series."""
    total = "cluster.lab.grpc.lab_v1_LabService.CreateItem.total"
    pattern = r"\.grpc\."
    before = (await lab.envoy.statistics.counters(pattern)).get(total, 0)
    async with lab.channel() as call:
        await call("CreateItem")
        await http.post("/v1/items", json={})
        await failure(call("Invented"))
    await http.post("/legacy/Invented", headers={"content-type": "application/grpc"})
    after = await lab.envoy.statistics.counters(pattern)
    assert after[total] == before + 2
    assert not [name for name in after if "Invented" in name]
    assert 'envoy_cluster_grpc_total{envoy_grpc_bridge_method="CreateItem"' in await lab.envoy.statistics.prometheus()


async def test_a_call_leaves_one_line_in_the_log(lab: Lab) -> None:
    """Method, codes, trace and request ID, by the names that everything else uses."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with lab.channel() as call:
        done = call("GetItem", metadata=[("traceparent", f"00-{trace}-00f067aa0ba902b7-01")], id="7")
        await done
        headers = dict(await done.initial_metadata())
    line = await lab.logged(headers["x-request-id"])
    assert {
        key: line[key] for key in ("listener", "method", "protocol", "code", "grpc_code", "trace_id", "caller")
    } == {
        "listener": "edge",
        "method": f"{SERVICE}/GetItem",
        "protocol": "grpc",
        "code": 200,
        "grpc_code": "OK",
        "trace_id": trace,
        "caller": None,
    }
    assert (line["upstream"], line["attempts"]) == (lab.backend.path, 1)


async def test_the_log_names_the_calling_service(lab: Lab) -> None:
    """Of calls that are refused as well, and never the name that a caller gives itself."""
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        metadata = [("x-request-id", "refused-1"), ("x-protomesh-caller", "evil")]
        await failure(call("AdminItem", metadata=metadata))
    line = await lab.logged("refused-1")
    assert (line["listener"], line["caller"], line["grpc_code"]) == ("egress-caller", "caller", "PermissionDenied")


async def test_the_log_of_a_rest_call_has_its_path_without_the_query(http: httpx.AsyncClient, lab: Lab) -> None:
    """A query may hold what nobody should log."""
    answer = await http.get("/v1/items/7?note=secret")
    line = await lab.logged(answer.headers["x-request-id"])
    assert (line["method"], line["path"], line["http"]) == (f"{SERVICE}/GetItem", "/v1/items/7", "HTTP/1.1")
    assert "secret" not in str(line)


async def test_the_log_tells_grpc_web_from_grpc(http: httpx.AsyncClient, lab: Lab) -> None:
    """Later filters make one of the other."""
    answer = await grpc_web.call(http, "GetItem")
    assert (await lab.logged(answer.response.headers["x-request-id"]))["protocol"] == "grpc-web"


async def _drained(stream: Any) -> None:
    async for _ in stream:
        pass


async def _by_grpc(lab: Lab, name: str) -> str:
    """Calls a method; the request's ID is in the answer's headers, or behind them where there are no messages."""
    async with lab.channel() as call:
        done = call(name, id="7")
        with contextlib.suppress(grpc.aio.AioRpcError):
            await (_drained(done) if name == "WatchItems" else done)
        return str(dict([*await done.initial_metadata(), *await done.trailing_metadata()])["x-request-id"])


async def _by_web(lab: Lab, name: str, *, text: bool) -> str:
    async with httpx.AsyncClient(base_url=lab.url) as client:
        return str((await grpc_web.call(client, name, text=text, id="7")).response.headers["x-request-id"])


async def _by_rest(lab: Lab, name: str) -> str:
    path = {"GetItem": "/v1/items/7", "WatchItems": "/v1/items:watch", "MyItem": "/v1/mine", "SlowItem": "/v1/slow"}[
        name
    ]
    async with httpx.AsyncClient(base_url=lab.url) as client:
        return str((await client.get(path)).headers["x-request-id"])


@pytest.mark.parametrize(
    "way",
    [_by_grpc, partial(_by_web, text=False), partial(_by_web, text=True), _by_rest],
    ids=["gRPC", "gRPC-Web binary", "gRPC-Web text", "REST"],
)
async def test_the_log_has_the_code_of_each_call(lab: Lab, way: Callable[[Lab, str], Awaitable[str]]) -> None:
    """Whatever the caller speaks: of an answer, of a stream, of one that broke off, and of what never got so far."""

    async def logged(name: str) -> str:
        return str((await lab.logged(await way(lab, name)))["grpc_code"])

    async def late(_: Any, __: Any) -> None:
        await asyncio.Event().wait()

    async def refuse(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "only 2 left")

    async def breaks_off(_: Any, context: Any) -> Any:
        yield Item(id="1")
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")

    assert await logged("GetItem") == "OK"
    assert await logged("WatchItems") == "OK"
    assert await logged("MyItem") == "Unauthenticated"
    with lab.backend.on("SlowItem", late):
        assert await logged("SlowItem") == "DeadlineExceeded"
    with lab.backend.on("GetItem", refuse):
        assert await logged("GetItem") == "FailedPrecondition"
    with lab.backend.on("WatchItems", breaks_off):
        assert await logged("WatchItems") == "DataLoss"
