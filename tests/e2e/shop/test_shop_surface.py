import asyncio
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, Product, UpdateProductRequest
from tests.e2e import grpc_web, reach
from tests.e2e.mesh import COMMAND, Mesh
from tests.e2e.shop.calls import get_product
from tests.e2e.shop.contracts import EXPOSED, INTERNAL, SERVICES

OWN = ("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
PAGE = "http://localhost:5173"  # of the gateway's cors in mesh.yaml
SERVING = health_pb2.HealthCheckResponse.SERVING


def _grpcurl(mesh: Mesh, *arguments: str) -> str:
    """What grpcurl prints, which has no contract at hand."""
    command: list[str | Path] = [COMMAND.with_name("grpcurl"), "-plaintext", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=mesh.run, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grpcurl_lists_describes_and_calls(shop: Mesh) -> None:
    """Without a .proto at hand, and what the edge exposes is all that it sees."""
    edge = shop.gateway
    assert sorted(_grpcurl(shop, edge, "list").split()) == sorted((*OWN, *SERVICES))
    listed = {name for service in SERVICES for name in _grpcurl(shop, edge, "list", service).split()}
    assert listed == {method.replace("/", ".") for method in EXPOSED}
    described = _grpcurl(shop, edge, "describe", "shop.inventory.v1.InventoryService")
    assert "rpc WatchStock ( .shop.inventory.v1.WatchStockRequest ) returns ( stream" in described
    assert "Reserve" not in described
    called = _grpcurl(shop, "-d", '{"product_id": "matcha"}', edge, "shop.catalog.v1.CatalogService/GetProduct")
    assert json.loads(called)["product"]["title"] == "Ceremonial Matcha"


def test_grpcurl_sees_everything_through_the_operators_socket(shop: Mesh) -> None:
    """INTERNAL methods are listed there, and can be called."""
    # grpcurl would send the socket's path as the authority, which is none to HTTP/2: Envoy ends the connection.
    operator = ("-authority", "shop", "-unix", str(reach.layout(shop).operator_socket))
    listed = {name for service in SERVICES for name in _grpcurl(shop, *operator, "list", service).split()}
    assert listed == {method.replace("/", ".") for method in (*EXPOSED, *INTERNAL)}
    update = json.dumps({"product": {"product_id": "matcha", "title": "Matcha"}})
    answer = _grpcurl(shop, "-d", update, *operator, "shop.catalog.v1.CatalogService/UpdateProduct")
    assert json.loads(answer)["product"]["title"] == "Matcha"


def test_protomesh_call_does_the_same_without_grpcurl(shop: Mesh) -> None:
    """Every kind of method: one answer, a stream in, a stream out, both."""
    assert shop.call("GetProduct", {"product_id": "earl-grey-tea"})["product"]["title"] == "Earl Grey"
    update = {"product": {"product_id": "chamomile-tea", "sellable": False}, "update_mask": "sellable"}
    assert "sellable" not in shop.call("UpdateProduct", update)["product"]

    price = {"currency_code": "EUR", "units": "3"}
    products = [{"product": {"product_id": f"mug-{number}", "title": "Mug", "price": price}} for number in range(3)]
    lines = "\n".join(json.dumps(product) for product in products)
    imported = shop.protomesh("call", "ImportProducts", "-", stdin=lines, check=True)
    assert json.loads(imported.stdout) == {"created": 3}

    scans = [{"request_id": str(uuid.uuid4()), "product_id": "matcha", "delta": 1} for _ in range(3)]
    lines = "\n".join(json.dumps(scan) for scan in scans)
    adjusted = shop.protomesh("call", "AdjustStock", "-", stdin=lines, check=True).stdout.splitlines()
    assert [json.loads(line)["requestId"] for line in adjusted] == [scan["request_id"] for scan in scans]

    watch: list[str | Path] = [COMMAND, "call", "WatchStock", '{"product_id": "matcha"}']
    with subprocess.Popen(watch, cwd=shop.root, env=shop.env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["stock"]["onHand"] == json.loads(adjusted[-1])["stock"]["onHand"]
        watching.terminate()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_shows_nothing_internal(edge: grpc.aio.Channel, version: str) -> None:
    """In both versions: no INTERNAL method, and no message that only such a method uses."""
    call: Any = edge.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()

    async def ask(**question: Any) -> Any:
        await call.write(reflection_pb2.ServerReflectionRequest(**question))
        return await asyncio.wait_for(call.read(), 10)

    services = [service.name for service in (await ask(list_services="")).list_services_response.service]
    assert sorted(services) == sorted((*OWN, *SERVICES))
    methods, messages = set(), set()
    for service in SERVICES:
        answer = (await ask(file_containing_symbol=service)).file_descriptor_response
        for file in map(FileDescriptorProto.FromString, answer.file_descriptor_proto):
            methods |= {f"{file.package}.{s.name}/{method.name}" for s in file.service for method in s.method}
            messages |= {message.name for message in file.message_type}
    assert sorted(methods) == EXPOSED
    assert "GetProductRequest" in messages
    assert not [name for name in messages if name.startswith(("UpdateProduct", "ImportProducts", "Reserve", "Adjust"))]
    for method in INTERNAL:
        answer = await ask(file_containing_symbol=method.replace("/", "."))
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    call.cancel()


@pytest.mark.parametrize("method", INTERNAL)
async def test_the_edge_refuses_internal_methods(shop: Mesh, edge: grpc.aio.Channel, method: str) -> None:
    """By gRPC and gRPC-Web there is no such method; JSON at its path is no REST call. No service hears of any."""
    start: Any = edge.unary_unary(f"/{method}")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await start(b"", timeout=10)
    assert (refused.value.code().name, refused.value.details()) == ("UNIMPLEMENTED", "no such method")
    ids = [dict(refused.value.trailing_metadata())["x-request-id"]]  # an answer without messages is all trailers
    for http2 in (False, True):
        async with reach.http(shop, http2=http2) as client:
            for text in (False, True):
                async with grpc_web.call(client, f"/{method}", b"", text=text) as answer:
                    assert [message async for message in answer.messages()] == []
                    assert answer.status.code == grpc.StatusCode.UNIMPLEMENTED.value[0]
                ids.append(answer.response.headers["x-request-id"])
            rest = await client.post(f"/{method}", json={})
            assert (rest.status_code, rest.json()["code"]) == (415, grpc.StatusCode.INVALID_ARGUMENT.value[0])
            ids.append(rest.headers["x-request-id"])
    assert {reach.access_log(shop, str(request_id))["upstream"] for request_id in ids} == {None}


async def test_health_is_told_by_service(shop: Mesh, edge: grpc.aio.Channel) -> None:
    """Of the mesh, of each service and of all at once; and /healthz for load balancers."""
    health: Any = health_pb2_grpc.HealthStub(edge)
    for service in ("", *SERVICES):
        request = health_pb2.HealthCheckRequest(service=service)
        assert (await health.Check(request)).status == SERVING
        watch = health.Watch(request)
        assert (await watch.read()).status == SERVING
        watch.cancel()
    listed = await health.List(vars(health_pb2)["HealthListRequest"]())
    assert {name: status.status for name, status in listed.statuses.items()} == dict.fromkeys(("", *SERVICES), SERVING)
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health.Check(health_pb2.HealthCheckRequest(service="shop.Nothing"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    async with reach.http(shop) as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
async def test_a_page_of_an_allowed_origin_calls_and_reads_failures(shop: Mesh, *, http2: bool) -> None:
    """The preflight permits what gRPC-Web's clients send, and what failed can be read by the page."""
    call = get_product("no-such-tea")
    wanted = {"content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", "authorization"}
    preflight = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": ",".join(sorted(wanted)),
    }
    async with reach.http(shop, http2=http2) as client:
        for path in (f"/{call.method}", "/v1/orders"):
            permit = await client.options(path, headers=preflight)
            assert (permit.status_code, permit.headers["access-control-allow-origin"]) == (200, PAGE)
            assert wanted <= set(permit.headers["access-control-allow-headers"].split(","))
        strange = await client.options(f"/{call.method}", headers=preflight | {"origin": "https://evil.test"})
        assert "access-control-allow-origin" not in strange.headers

        request = call.request.SerializeToString()
        async with grpc_web.call(client, f"/{call.method}", request, origin=PAGE, grpc_timeout="2S") as answer:
            assert [message async for message in answer.messages()] == []
        assert answer.status.code == grpc.StatusCode.NOT_FOUND.value[0]
        rest = await client.get(call.url, headers={"origin": PAGE})
        assert (rest.status_code, rest.json()["code"]) == (404, grpc.StatusCode.NOT_FOUND.value[0])
    for headers in (answer.response.headers, rest.headers):
        assert headers["access-control-allow-origin"] == PAGE
        exposed = set(headers["access-control-expose-headers"].split(","))
        assert {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"} <= exposed


async def test_what_the_operator_changes_is_seen_at_the_edge(
    edge: grpc.aio.Channel, operator: grpc.aio.Channel
) -> None:
    """An INTERNAL write, then a EXPOSED read."""
    change = UpdateProductRequest(product=Product(product_id="rooibos-tea", title="Red Bush"))
    await CatalogServiceStub(operator).UpdateProduct(change)
    got = await CatalogServiceStub(edge).GetProduct(GetProductRequest(product_id="rooibos-tea"))
    assert got.product.title == "Red Bush"
