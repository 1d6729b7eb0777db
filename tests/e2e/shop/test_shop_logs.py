import uuid
from typing import Any

import grpc
import pytest

from shop.inventory.v1 import InventoryServiceStub, ReserveRequest
from tests.e2e import grpc_web, reach
from tests.e2e.mesh import Mesh, eventually
from tests.e2e.shop.calls import Metadata, get_product, place_order


def _trace() -> tuple[str, dict[str, str]]:
    """A trace of the caller's, and the header that carries it."""
    trace = uuid.uuid4().hex
    return trace, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}


async def test_one_order_is_one_request_and_one_trace_in_every_log(shop: Mesh, customer: Metadata) -> None:
    """By REST: the edge's line, those of the calls that the orders make, and the lines of the services."""
    trace, headers = _trace()
    call = place_order(customer, str(uuid.uuid4()), bamboo_whisk=1)
    async with reach.http(shop) as client:
        response = await client.post(call.url, json=call.body, headers=headers | dict(customer))
    request_id = response.headers["x-request-id"]

    line = reach.access_log(shop, request_id)
    wanted = {"method": call.method, "code": 200, "grpc_code": "OK", "caller": None, "trace_id": trace}
    assert {key: line[key] for key in wanted} == wanted
    assert (line["path"], line["http"]) == ("/v1/orders", "HTTP/1.1")

    made = {entry["method"]: entry for entry in reach.access_lines(shop, request_id) if entry["caller"] == "orders"}
    assert set(made) == {
        "shop.catalog.v1.CatalogService/GetProduct",
        "shop.inventory.v1.InventoryService/ConfirmReservation",
        "shop.inventory.v1.InventoryService/Reserve",
        "shop.payments.v1.PaymentsService/AuthorizePayment",
        "shop.payments.v1.PaymentsService/CapturePayment",
    }
    assert {entry["trace_id"] for entry in made.values()} == {trace}
    assert {entry["listener"] for entry in made.values()} == {"egress-orders"}
    for service, event, method in (
        ("orders", "order placed", call.method),
        ("inventory", "stock reserved", "shop.inventory.v1.InventoryService/Reserve"),
        ("inventory", "reservation confirmed", "shop.inventory.v1.InventoryService/ConfirmReservation"),
    ):
        (logged,) = (
            line
            for line in reach.service_log(shop, service)
            if (line["event"], line.get("request_id")) == (event, request_id)
        )
        assert (logged["method"], logged["trace_id"]) == (method, trace)


@pytest.mark.parametrize("protocol", ["grpc", "grpc-web"])
async def test_a_failed_call_is_logged_with_its_code(shop: Mesh, edge: grpc.aio.Channel, protocol: str) -> None:
    """And the protocol that it came by."""
    call = get_product("no-such-tea")
    trace, headers = _trace()
    request = call.request.SerializeToString()
    if protocol == "grpc":
        start: Any = edge.unary_unary(f"/{call.method}")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await start(request, metadata=list(headers.items()))
        found = dict([*failed.value.initial_metadata(), *failed.value.trailing_metadata()])
        request_id = str(found["x-request-id"])
    else:
        async with (
            reach.http(shop, http2=True, **headers) as client,
            grpc_web.call(client, f"/{call.method}", request) as answer,
        ):
            assert [message async for message in answer.messages()] == []
        request_id = answer.response.headers["x-request-id"]

    line = reach.access_log(shop, request_id)

    wanted = {"method": call.method, "protocol": protocol, "code": 200, "grpc_code": "NotFound", "trace_id": trace}
    assert {key: line[key] for key in wanted} == wanted


async def test_a_failed_rest_call_is_logged_with_the_code_of_its_method(shop: Mesh) -> None:
    """Beside the HTTP status that the caller saw."""
    call = get_product("no-such-tea")
    async with reach.http(shop) as client:
        response = await client.get(call.url)

    line = reach.access_log(shop, response.headers["x-request-id"])

    wanted = {"method": call.method, "code": 404, "grpc_code": "NotFound"}
    assert {key: line[key] for key in wanted} == wanted


async def test_the_operator_is_a_caller_in_the_log(shop: Mesh, operator: grpc.aio.Channel) -> None:
    """The request id that it gives is kept, as it is one of ours; what it calls itself is not."""
    request_id = str(uuid.uuid4())
    reserve = ReserveRequest(request_id=str(uuid.uuid4()), product_id="matcha", quantity=1)
    metadata = (("x-request-id", request_id), ("x-protomesh-caller", "orders"))
    await InventoryServiceStub(operator).Reserve(reserve, metadata=metadata)

    eventually(lambda: len(reach.access_lines(shop, request_id)) == 2, "Reserve and the call that it makes are logged")

    assert {line["method"].rpartition("/")[2]: line["caller"] for line in reach.access_lines(shop, request_id)} == {
        "Reserve": "operator",
        "GetProduct": "inventory",
    }


async def test_a_request_id_from_outside_is_replaced(shop: Mesh) -> None:
    """Nobody outside can write into the log what belongs to somebody else's request."""
    theirs = str(uuid.uuid4())
    async with reach.http(shop) as client:
        response = await client.get("/v1/products/matcha", headers={"x-request-id": theirs})
    ours = response.headers["x-request-id"]
    assert ours != theirs
    assert reach.access_log(shop, ours)["code"] == 200
