import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2

import shop.catalog.v1 as catalog
import shop.inventory.v1 as inventory
import shop.orders.v1 as orders
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.errors import CODES
from tests.e2e import reach, ways
from tests.e2e.mesh import Mesh
from tests.e2e.shop.calls import CARD, Metadata, get_product, place_order, watch_stock
from tests.e2e.ways import Failed, Way, failure

HTTP = {"NOT_FOUND": 404, "FAILED_PRECONDITION": 400, "INVALID_ARGUMENT": 400, "INTERNAL": 500}


def _check(failed: Failed, way: Way, code: str) -> None:
    """The code, which REST shows as an HTTP status as well, and gRPC-Web does not."""
    assert CODES[failed.status.code].name == code
    assert failed.http_status == (HTTP[code] if way in ways.REST.values() else 200)


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_a_declared_error_arrives_whole_on_each_protocol(shop: Mesh, customer: Metadata, way: Way) -> None:
    """Code, text, ErrorInfo with reason and domain, and the declared message itself; of one service, and of two."""
    failed = await failure(way, shop, get_product("no-such-tea"))
    _check(failed, way, "NOT_FOUND")
    assert failed.status.message == "there is no product no-such-tea"
    assert (failed.info.reason, failed.info.domain) == ("PRODUCT_NOT_FOUND", "shop.catalog.v1")
    assert failed.info.metadata == {"product_id": "no-such-tea"}
    assert failed.detail(_message(catalog.ProductNotFound)).product_id == "no-such-tea"

    # The inventory refuses, and the orders say so in their own words.
    failed = await failure(way, shop, place_order(customer, str(uuid.uuid4()), glass_teapot=1000))
    _check(failed, way, "FAILED_PRECONDITION")
    assert (failed.info.reason, failed.info.domain) == ("NOT_ENOUGH_STOCK", "shop.orders.v1")
    left = failed.detail(_message(orders.NotEnoughStock)).available
    assert failed.status.message == f"only {left} of glass-teapot left"


async def test_a_declared_error_is_caught_by_its_type(edge: grpc.aio.Channel, customer: Metadata) -> None:
    """By the stub of a facade over the library's channel, with its fields as attributes."""
    stub: Any = MeshChannel(lambda _: edge).stub(catalog.CatalogServiceStub)
    with pytest.raises(catalog.ProductNotFound) as unknown:
        await stub.GetProduct(catalog.GetProductRequest(product_id="no-such-tea"))
    assert (unknown.value.product_id, unknown.value.code()) == ("no-such-tea", grpc.StatusCode.NOT_FOUND)

    line = orders.PlaceOrderRequest.Line(product_id="tea-sampler-2025", quantity=1)
    place: Any = MeshChannel(lambda _: edge).stub(orders.OrdersServiceStub)
    request = orders.PlaceOrderRequest(request_id=str(uuid.uuid4()), lines=[line], card_number=CARD)
    with pytest.raises(orders.ProductNotSold) as not_sold:
        await place.PlaceOrder(request, metadata=customer)
    assert not_sold.value.product_id == "tea-sampler-2025"


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_validation_names_the_field_on_each_protocol(shop: Mesh, customer: Metadata, way: Way) -> None:
    """INVALID_ARGUMENT, with google.rpc.BadRequest that names every field, as the request spells it."""
    failed = await failure(way, shop, get_product("No-Such-Tea"))
    _check(failed, way, "INVALID_ARGUMENT")
    assert [v.field for v in failed.detail(error_details_pb2.BadRequest).field_violations] == ["product_id"]

    failed = await failure(way, shop, place_order(customer, "7", matcha=0))
    _check(failed, way, "INVALID_ARGUMENT")
    violations = failed.detail(error_details_pb2.BadRequest).field_violations
    assert {violation.field for violation in violations} == {"request_id", "lines[0].quantity"}
    assert "lines[0].quantity" in failed.status.message


@pytest.mark.parametrize("way", ways.STREAMS.values(), ids=ways.STREAMS)
async def test_a_stream_that_fails_at_once_says_why(shop: Mesh, way: Way) -> None:
    """The same details as a unary call, though the answer would have been a stream."""
    failed = await failure(way, shop, watch_stock("no-such-tea"))
    assert CODES[failed.status.code].name == "NOT_FOUND"
    assert failed.info.reason == "STOCK_NOT_FOUND"
    assert failed.detail(_message(inventory.StockNotFound)).product_id == "no-such-tea"
    invalid = await failure(way, shop, watch_stock("matcha", "no-token"))
    assert CODES[invalid.status.code].name == "INVALID_ARGUMENT"
    (violation,) = invalid.detail(error_details_pb2.BadRequest).field_violations
    assert violation.field == "resume_token"


async def test_a_broken_rule_in_the_middle_of_a_stream_ends_it(operator: grpc.aio.Channel) -> None:
    """The second message names no title; the field is named, and the first is not answered for."""

    async def products() -> AsyncIterator[catalog.ImportProductsRequest]:
        price = catalog.GetProductResponse().product.price
        price.currency_code = "EUR"
        good = catalog.Product(product_id="good-tea", title="Good Tea", price=price)
        yield catalog.ImportProductsRequest(product=good)
        yield catalog.ImportProductsRequest(product=catalog.Product(product_id="bad-tea", price=price))

    with pytest.raises(grpc.aio.AioRpcError) as invalid:
        await catalog.CatalogServiceStub(operator).ImportProducts(products())
    assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "title must be set" in str(invalid.value.details())


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_the_text_of_an_exception_never_reaches_a_client(shop: Mesh, way: Way) -> None:
    """A table is missing: the client gets INTERNAL and an id, under which the service's log has SQL and traceback."""
    reach.execute(shop, "catalog", "ALTER TABLE products RENAME TO elsewhere")
    try:
        failed = await failure(way, shop, get_product("matcha"))
    finally:
        reach.execute(shop, "catalog", "ALTER TABLE elsewhere RENAME TO products")
    _check(failed, way, "INTERNAL")
    answer = str(failed.status).lower()
    assert not [word for word in ("table", "select", "sqlite", "traceback", "products") if word in answer]
    error_id = failed.status.message.split(";", maxsplit=1)[0].rpartition(" ")[2]
    (logged,) = (line for line in reach.service_log(shop, "catalog") if line.get("error_id") == error_id)
    assert "no such table: products" in logged["exception"]
    assert logged["method"] == "shop.catalog.v1.CatalogService/GetProduct"


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
async def test_rest_refuses_what_it_does_not_understand(shop: Mesh, customer: Metadata, *, http2: bool) -> None:
    """Each a google.rpc.Status in JSON that says what was wrong."""
    async with reach.http(shop, http2=http2, **dict(customer)) as client:

        async def refused(response: Any, http_status: int, code: str, word: str) -> None:
            answer: httpx.Response = await response
            assert (answer.status_code, CODES[answer.json()["code"]].name) == (http_status, code)
            assert answer.headers["content-type"] == "application/json"
            assert word in answer.json()["message"]

        await refused(client.get("/v1/products?page_sise=2"), 400, "INVALID_ARGUMENT", "page_sise")
        await refused(client.get("/v1/products?page_size=two"), 400, "INVALID_ARGUMENT", "two")
        await refused(client.get("/v1/nothing"), 404, "NOT_FOUND", "nothing answers at this path")
        await refused(client.post("/v1/orders", content=b'{"lines": ['), 400, "INVALID_ARGUMENT", "")
        await refused(client.post("/v1/orders", json={"lines": "matcha"}), 400, "INVALID_ARGUMENT", "matcha")
        for content_type in ("application/json", "text/plain", "application/x-protobuf"):
            method = "/shop.catalog.v1.CatalogService/GetProduct"
            wrong = client.post(method, content=b"{}", headers={"content-type": content_type})
            await refused(wrong, 415, "INVALID_ARGUMENT", "application/grpc")


def _message(error: Any) -> Any:
    """The declared message behind an error's class."""
    return error.message_type
