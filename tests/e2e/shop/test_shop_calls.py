import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from shop.catalog.v1 import (
    CatalogServiceStub,
    GetProductRequest,
    ImportProductsRequest,
    ListProductsRequest,
    ListProductsResponse,
    Product,
    SearchProductsRequest,
    SearchProductsResponse,
)
from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    GetStockRequest,
    GetStockResponse,
    InventoryServiceStub,
    WatchStockRequest,
)
from shop.orders.v1 import GetOrderRequest, GetOrderResponse, ListOrdersRequest, Order, OrdersServiceStub
from tests.e2e import ways
from tests.e2e.mesh import Mesh
from tests.e2e.shop.calls import Metadata, get_product, place_order, watch_stock
from tests.e2e.ways import Call, Way, unary


async def test_all_four_kinds_of_call_by_grpc(edge: grpc.aio.Channel, operator: grpc.aio.Channel) -> None:
    """Unary and server streaming at the edge, client streaming and both ways for the operator, with generated stubs."""
    catalog, inventory = CatalogServiceStub(operator), InventoryServiceStub(operator)

    got = await CatalogServiceStub(edge).GetProduct(GetProductRequest(product_id="matcha"))
    assert (got.product.title, got.product.price.units) == ("Ceremonial Matcha", 29)

    async def products() -> AsyncIterator[ImportProductsRequest]:
        for name in ("matcha", "oolong-tea", "puerh-tea"):
            product = Product(product_id=name, title=name.title(), price=got.product.price, sellable=True)
            yield ImportProductsRequest(product=product)

    imported = await catalog.ImportProducts(products())
    assert (imported.created, imported.replaced) == (2, 1)

    watching = InventoryServiceStub(edge).WatchStock(WatchStockRequest(product_id="honey-spoon"))
    before = (await _next(watching)).stock.on_hand

    scanner: Any = inventory.AdjustStock()
    for scanned in (1, 2):
        scan = AdjustStockRequest(request_id=str(uuid.uuid4()), product_id="honey-spoon", delta=10)
        await scanner.write(scan)
        acknowledged: AdjustStockResponse = await scanner.read()
        assert acknowledged.request_id == scan.request_id
        assert acknowledged.stock.on_hand == before + 10 * scanned
        assert (await _next(watching)).stock.on_hand == before + 10 * scanned
    await scanner.done_writing()
    assert await scanner.read() == grpc.aio.EOF
    watching.cancel()


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_a_unary_call_has_the_same_answer_on_each_protocol(shop: Mesh, edge: grpc.aio.Channel, way: Way) -> None:
    """Paths, queries with spaces and paging, as a stub has them."""
    catalog: Any = CatalogServiceStub(edge)
    first = await catalog.ListProducts(page := ListProductsRequest(page_size=2))
    second = ListProductsRequest(page_size=2, page_token=first.next_page_token)
    search = SearchProductsRequest(query="black tea", page_size=3)
    method = "shop.catalog.v1.CatalogService"
    pages, words = "/v1/products?page_size=2", "/v1/products:search?query=black+tea&page_size=3"
    next_page = f"{pages}&page_token={first.next_page_token}"
    for call, expected in (
        (get_product("ceylon-tea"), await catalog.GetProduct(GetProductRequest(product_id="ceylon-tea"))),
        (Call(f"{method}/ListProducts", page, ListProductsResponse, "GET", pages), first),
        (
            Call(f"{method}/ListProducts", second, ListProductsResponse, "GET", next_page),
            await catalog.ListProducts(second),
        ),
        (
            Call(f"{method}/SearchProducts", search, SearchProductsResponse, "GET", words),
            await catalog.SearchProducts(search),
        ),
    ):
        assert await unary(way, shop, call) == expected


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_an_order_is_placed_by_each_protocol(
    shop: Mesh, edge: grpc.aio.Channel, customer: Metadata, way: Way
) -> None:
    """It is paid and there afterwards, takes its stock once, and the repeat of the request gets the first answer."""
    before = await _available(shop, way)
    call = place_order(customer, str(uuid.uuid4()), french_press=1)

    placed = (await unary(way, shop, call)).order

    assert (placed.lines[0].title, placed.total.units) == ("French Press", 32)
    assert placed.state == Order.STATE_PLACED
    assert (await unary(way, shop, call)).order == placed
    got = Call("shop.orders.v1.OrdersService/GetOrder", GetOrderRequest(order_id=placed.order_id), GetOrderResponse,
               "GET", f"/v1/orders/{placed.order_id}", None, customer)  # fmt: skip
    assert (await unary(way, shop, got)).order == placed
    listed = await OrdersServiceStub(edge).ListOrders(ListOrdersRequest(page_size=1), metadata=customer)
    assert list(listed.orders) == [placed]
    assert await _available(shop, way) == before - 1


@pytest.mark.parametrize("way", ways.STREAMS.values(), ids=ways.STREAMS)
async def test_a_stream_is_the_same_on_each_protocol(shop: Mesh, operator: grpc.aio.Channel, way: Way) -> None:
    """Each message comes when it is sent, and the last resume token goes on after it."""
    scanner: Any = InventoryServiceStub(operator).AdjustStock()

    async def scanned() -> int:
        scan = AdjustStockRequest(request_id=str(uuid.uuid4()), product_id="travel-mug", delta=1)
        await scanner.write(scan)
        on_hand: int = (await scanner.read()).stock.on_hand
        return on_hand

    on_hand = await scanned()
    async with way(shop, watch_stock("travel-mug")) as messages:
        assert (await anext(messages)).stock.on_hand == on_hand
        assert await scanned() == on_hand + 1
        last = await anext(messages)
        assert last.stock.on_hand == on_hand + 1
    assert await scanned() == on_hand + 2
    async with way(shop, watch_stock("travel-mug", last.resume_token)) as messages:
        assert (await anext(messages)).stock.on_hand == on_hand + 2
    scanner.cancel()


async def _next(stream: Any) -> Any:
    message = await stream.read()
    assert message != grpc.aio.EOF
    return message


async def _available(shop: Mesh, way: Way) -> int:
    request = GetStockRequest(product_id="french-press")
    method = "shop.inventory.v1.InventoryService/GetStock"
    stock = (await unary(way, shop, Call(method, request, GetStockResponse, "GET", "/v1/stock/french-press"))).stock
    available: int = stock.available
    return available
