import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime, timedelta

import grpc
import pytest
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError

from protomesh.runtime import StatusError
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.orders.service import Orders
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, GetProductResponse, Product, ProductNotFound
from shop.inventory.v1 import (
    InventoryServiceStub,
    NotForSale,
    OutOfStock,
    ReleaseRequest,
    ReleaseResponse,
    ReservationNotFound,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import (
    GetOrderRequest,
    ListOrdersRequest,
    MixedCurrencies,
    NotEnoughStock,
    Order,
    OrderNotFound,
    OrdersServiceStub,
    PlaceOrderRequest,
    ProductNotSold,
)

Fields = Callable[[AioRpcError], list[str]]
SOON = timedelta(seconds=20).total_seconds()


class Warehouse:
    """Inventory's promises as a fake keeps them: what is held, by reservation."""

    def __init__(self) -> None:
        self.held: dict[str, ReserveRequest] = {}
        self.released: list[str] = []
        self.fake = Fake(InventoryServiceStub)
        self.fake.on(self.fake.stub.Reserve).returns(self.reserve)
        self.fake.on(self.fake.stub.Release).returns(self.release)

    def reserve(self, request: ReserveRequest) -> ReserveResponse:
        """Holds anything."""
        self.held[request.request_id] = request
        return ReserveResponse()

    def release(self, request: ReleaseRequest) -> ReleaseResponse:
        """Gives up what is held."""
        if self.held.pop(request.reservation_id, None) is None:
            raise ReservationNotFound(reservation_id=request.reservation_id)
        self.released.append(request.reservation_id)
        return ReleaseResponse()


PRICES = {"matcha": (29, 0), "earl-grey-tea": (6, 900_000_000), "honey-spoon": (4, 500_000_000)}


def priced(request: GetProductRequest) -> GetProductResponse:
    """The catalog's answer."""
    if request.product_id == "dollar-tea":
        price = Money(currency_code="USD", units=1)
    elif request.product_id in PRICES:
        units, nanos = PRICES[request.product_id]
        price = Money(currency_code="EUR", units=units, nanos=nanos)
    else:
        raise ProductNotFound(product_id=request.product_id)
    product = Product(product_id=request.product_id, title=request.product_id.title(), price=price, sellable=True)
    return GetProductResponse(product=product)


@pytest.fixture
async def db(database: Databases) -> Database:
    """A database without orders."""
    return await database("services.orders")


@pytest.fixture
def catalog() -> Fake[CatalogServiceStub]:
    """A catalog with three products in euros and one in dollars."""
    fake = Fake(CatalogServiceStub)
    fake.on(fake.stub.GetProduct).returns(priced)
    return fake


@pytest.fixture
def warehouse() -> Warehouse:
    """An inventory that has everything."""
    return Warehouse()


@pytest.fixture
def tokens() -> Iterator[str]:
    """Ids that count up."""
    return (f"{number:04}" for number in itertools.count(1))


@pytest.fixture
def servicer(
    db: Database,
    catalog: Fake[CatalogServiceStub],
    warehouse: Warehouse,
    now: Callable[[], datetime],
    tokens: Iterator[str],
) -> Orders:
    """The service itself."""
    return Orders(db, catalog.stub, warehouse.fake.stub, now, lambda: next(tokens))


@pytest.fixture
async def orders(servicer: Orders) -> AsyncGenerator[OrdersServiceStub]:
    """A client of it."""
    async with serving(servicer, OrdersServiceStub) as client:
        yield client


def order(*lines: tuple[str, int]) -> PlaceOrderRequest:
    """A new request for an order."""
    return PlaceOrderRequest(
        request_id=str(uuid.uuid4()),
        lines=[PlaceOrderRequest.Line(product_id=product_id, quantity=quantity) for product_id, quantity in lines],
    )


async def listed(orders: OrdersServiceStub) -> list[str]:
    """The ids of all orders, newest first."""
    return [order.order_id for order in (await orders.ListOrders(ListOrdersRequest(page_size=100))).orders]


class TestPlaceOrder:
    """PlaceOrder."""

    async def test_an_order_has_the_prices_of_the_moment_and_their_sum(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """And its stock is held, line by line."""
        placed = (await orders.PlaceOrder(order(("matcha", 2), ("earl-grey-tea", 3)))).order
        assert placed.state == Order.STATE_PLACED
        assert placed.total == Money(currency_code="EUR", units=78, nanos=700_000_000)
        assert [(line.product_id, line.quantity, line.title) for line in placed.lines] == [
            ("matcha", 2, "Matcha"),
            ("earl-grey-tea", 3, "Earl-Grey-Tea"),
        ]
        assert placed.lines[1].unit_price == Money(currency_code="EUR", units=6, nanos=900_000_000)
        assert [line.reservation_id for line in placed.lines] == list(warehouse.held)
        assert [held.quantity for held in warehouse.held.values()] == [2, 3]

    async def test_a_repeat_is_answered_alike_and_orders_nothing_more(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """IDEMPOTENT in the contract: Envoy may send it again."""
        request = order(("matcha", 2))
        first = await orders.PlaceOrder(request)
        assert await orders.PlaceOrder(request) == first
        assert len(await listed(orders)) == 1
        assert len(warehouse.held) == 1

    async def test_repeats_that_come_at_once_are_one_order(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """Whoever was second gives back what it held."""
        request = order(("matcha", 2), ("honey-spoon", 1))
        answers = await asyncio.gather(*(orders.PlaceOrder(request) for _ in range(5)))
        assert {answer.SerializeToString() for answer in answers} == {answers[0].SerializeToString()}
        assert await listed(orders) == [answers[0].order.order_id]
        assert list(warehouse.held) == [line.reservation_id for line in answers[0].order.lines]

    async def test_the_same_id_for_another_order_is_refused(self, orders: OrdersServiceStub) -> None:
        """ALREADY_EXISTS, and nothing is held for it."""
        request = order(("matcha", 2))
        await orders.PlaceOrder(request)
        request.lines[0].quantity = 3
        with pytest.raises(AioRpcError) as reused:
            await orders.PlaceOrder(request)
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS

    async def test_too_little_stock_is_told_in_the_orders_own_words(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """OutOfStock is caught by its type; the line before it is given back, and nothing is ordered."""

        def only_matcha(request: ReserveRequest) -> ReserveResponse:
            if request.product_id == "honey-spoon":
                raise OutOfStock(product_id="honey-spoon", available=1)
            return warehouse.reserve(request)

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(only_matcha)
        with pytest.raises(NotEnoughStock) as short:
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 9)))
        assert (short.value.product_id, short.value.available) == ("honey-spoon", 1)
        assert warehouse.held == {}
        assert len(warehouse.released) == 1
        assert await listed(orders) == []

    async def test_an_order_that_failed_can_be_tried_again_with_the_same_id(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """Failures are not remembered, and a hold that was given back is not taken for one."""
        short = OutOfStock(product_id="honey-spoon", available=0)
        fake = warehouse.fake
        fake.on(fake.stub.Reserve).returns(warehouse.reserve, short, warehouse.reserve)
        request = order(("matcha", 2), ("honey-spoon", 1))
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(request)
        placed = (await orders.PlaceOrder(request)).order
        assert list(warehouse.held) == [line.reservation_id for line in placed.lines]

    @pytest.mark.parametrize("product_id", ["unobtainium", "sold-out-for-good"])
    async def test_what_is_not_sold_is_not_ordered(
        self, orders: OrdersServiceStub, catalog: Fake[CatalogServiceStub], warehouse: Warehouse, product_id: str
    ) -> None:
        """Before anything is held."""

        def sells(request: GetProductRequest) -> GetProductResponse:
            if request.product_id == "sold-out-for-good":
                return GetProductResponse(product=Product(product_id=request.product_id, sellable=False))
            return priced(request)

        catalog.on(catalog.stub.GetProduct).returns(sells)
        with pytest.raises(ProductNotSold) as unknown:
            await orders.PlaceOrder(order(("matcha", 1), (product_id, 1)))
        assert unknown.value.product_id == product_id
        assert warehouse.fake.calls == []

    async def test_what_stops_being_sold_in_between_is_not_ordered(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """The inventory asked the catalog later."""
        warehouse.fake.on(warehouse.fake.stub.Reserve).raises(NotForSale(product_id="matcha"))
        with pytest.raises(ProductNotSold):
            await orders.PlaceOrder(order(("matcha", 1)))

    async def test_lines_of_two_currencies_have_no_sum(self, orders: OrdersServiceStub, warehouse: Warehouse) -> None:
        """The line at fault is named; nothing is held."""
        with pytest.raises(MixedCurrencies) as mixed:
            await orders.PlaceOrder(order(("matcha", 1), ("dollar-tea", 1)))
        assert (mixed.value.product_id, mixed.value.currency_code) == ("dollar-tea", "USD")
        assert warehouse.fake.calls == []

    async def test_a_hold_whose_answer_was_lost_is_given_back_too(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """The inventory held it and then did not answer: nobody can know, so everything is released."""

        def lost(request: ReserveRequest) -> ReserveResponse:
            warehouse.reserve(request)
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "gone before it answered")

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(warehouse.reserve, lost)
        with pytest.raises(AioRpcError) as gone:
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE
        assert warehouse.held == {}

    async def test_a_caller_who_hangs_up_leaves_nothing_held(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """Compensation is detached: it needs neither the caller nor the caller's time."""
        arrived = asyncio.Event()

        async def hang(request: ReserveRequest) -> ReserveResponse:
            warehouse.reserve(request)
            arrived.set()
            await asyncio.Event().wait()
            raise AssertionError

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(warehouse.reserve, hang)
        call = orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))
        async with asyncio.timeout(SOON):
            await arrived.wait()
            call.cancel()
            while warehouse.held:
                await asyncio.sleep(0)
        assert len(warehouse.released) == 2
        assert await listed(orders) == []

    async def test_a_deadline_that_passes_leaves_nothing_held(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """The time for giving back is not the caller's."""

        async def hang(request: ReserveRequest) -> ReserveResponse:
            warehouse.reserve(request)
            await asyncio.Event().wait()
            raise AssertionError

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(warehouse.reserve, hang)
        with pytest.raises(AioRpcError) as late:
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)), timeout=1)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(SOON):
            while warehouse.held:
                await asyncio.sleep(0)
        held = {request.request_id for request in warehouse.fake.requests(warehouse.fake.stub.Reserve)}
        assert set(warehouse.released) == held
        assert held

    async def test_one_release_that_fails_does_not_keep_the_others(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """The caller hears of the first cause all the same."""
        fake = warehouse.fake
        fake.on(fake.stub.Reserve).returns(
            warehouse.reserve, warehouse.reserve, OutOfStock(product_id="honey-spoon", available=0)
        )
        fake.on(fake.stub.Release).returns(StatusError(grpc.StatusCode.UNAVAILABLE, "away"), warehouse.release)
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(order(("matcha", 2), ("earl-grey-tea", 1), ("honey-spoon", 1)))
        assert [held.product_id for held in warehouse.held.values()] == ["matcha"]

    async def test_an_inventory_that_does_not_answer_does_not_change_the_reason(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """Giving back takes its own time, and then the caller hears what was wrong with the order."""
        fake = warehouse.fake
        fake.on(fake.stub.Reserve).returns(warehouse.reserve, OutOfStock(product_id="honey-spoon", available=0))
        fake.on(fake.stub.Release).hangs()
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))
        assert len(fake.requests(fake.stub.Release)) == 2

    async def test_the_callers_deadline_travels(self, orders: OrdersServiceStub, warehouse: Warehouse) -> None:
        """To the inventory, whose own would be later."""
        await orders.PlaceOrder(order(("matcha", 1)), timeout=1.6)
        [reserve] = warehouse.fake.calls
        assert reserve.time_remaining is not None
        assert reserve.time_remaining < timedelta(seconds=1.8)  # gRPC rounds up what it sends; the contract says 2 s

    @pytest.mark.parametrize(
        ("lines", "fields_"),
        [
            ([], {"lines"}),
            ([("matcha", 1), ("matcha", 2)], {"lines"}),
            ([(f"product-{number}", 1) for number in range(21)], {"lines"}),
            ([("matcha", 1), ("honey-spoon", 0)], {"lines[1].quantity"}),
            ([("Matcha!", 1)], {"lines[0].product_id"}),
        ],
    )
    async def test_a_request_that_breaks_a_rule_names_the_field(
        self,
        orders: OrdersServiceStub,
        fields: Fields,
        warehouse: Warehouse,
        lines: list[tuple[str, int]],
        fields_: set[str],
    ) -> None:
        """The line too, where it is one line's."""
        with pytest.raises(AioRpcError) as refused:
            await orders.PlaceOrder(order(*lines))
        assert set(fields(refused.value)) == fields_
        assert warehouse.fake.calls == []


class TestReading:
    """GetOrder and ListOrders."""

    async def test_an_order_is_found_as_it_was_placed(self, orders: OrdersServiceStub) -> None:
        """Field by field."""
        placed = (await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))).order
        assert (await orders.GetOrder(GetOrderRequest(order_id=placed.order_id))).order == placed

    async def test_an_order_that_is_not_there_is_named(self, orders: OrdersServiceStub) -> None:
        """The declared error, caught by its type."""
        with pytest.raises(OrderNotFound) as missing:
            await orders.GetOrder(GetOrderRequest(order_id="nothing"))
        assert missing.value.order_id == "nothing"

    async def test_the_newest_comes_first_and_pages_stay_put(self, orders: OrdersServiceStub) -> None:
        """Orders that are placed meanwhile are on no later page."""
        placed = [(await orders.PlaceOrder(order(("matcha", 1)))).order.order_id for _ in range(5)]
        first = await orders.ListOrders(ListOrdersRequest(page_size=2))
        await orders.PlaceOrder(order(("matcha", 1)))
        second = await orders.ListOrders(ListOrdersRequest(page_size=2, page_token=first.next_page_token))
        third = await orders.ListOrders(ListOrdersRequest(page_size=2, page_token=second.next_page_token))
        seen = [each.order_id for page in (first, second, third) for each in page.orders]
        assert seen == placed[::-1]
        assert third.next_page_token == ""

    async def test_a_page_token_that_is_none_names_its_field(self, orders: OrdersServiceStub, fields: Fields) -> None:
        """INVALID_ARGUMENT."""
        with pytest.raises(AioRpcError) as refused:
            await orders.ListOrders(ListOrdersRequest(page_token="bm90aGluZw"))
        assert fields(refused.value) == ["page_token"]
