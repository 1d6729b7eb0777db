import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest
from grpc.aio import AioRpcError
from sqlalchemy.orm import DeclarativeBase

from protomesh.runtime.store import Database
from protomesh.testing.serving import serving
from services.orders.checkout import Checkout
from services.orders.service import Orders
from shop.inventory.v1 import (
    OutOfStock,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import (
    GetOrderRequest,
    ListOrdersRequest,
    NotEnoughStock,
    Order,
    OrderNotCancellable,
    OrderNotFound,
    OrdersServiceStub,
    WatchOrderRequest,
)
from shop.payments.v1 import (
    CapturePaymentRequest,
    CapturePaymentResponse,
)
from tests.services.clock import Clock
from tests.services.orders.stand_ins import (
    BOB,
    LEASE,
    SOON,
    Till,
    Warehouse,
    cancel,
    gone,
    order,
    reached,
    states,
)

Fields = Callable[[AioRpcError], list[str]]
Kept = Callable[[Database, type[DeclarativeBase]], Awaitable[str]]


class TestCancelOrder:
    """CancelOrder."""

    async def test_stock_and_money_are_given_back(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """Once; a repeat is answered alike, and another request finds it cancelled."""
        placed = (await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))).order
        request = cancel(placed.order_id)
        first = await orders.CancelOrder(request)
        assert first.order.state == Order.STATE_CANCELLED
        assert await orders.CancelOrder(request) == first
        assert await orders.CancelOrder(cancel(placed.order_id)) == first
        assert (warehouse.held, len(warehouse.released)) == ({}, 2)
        assert list(till.payments.values()) == ["given back"]
        assert len(till.fake.requests(till.fake.stub.RefundPayment)) == 1

    async def test_cancelling_goes_on_until_it_is_done(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till, checkout: Checkout, clock: Clock
    ) -> None:
        """Payments that do not answer keep nobody waiting."""
        placed = (await orders.PlaceOrder(order(("matcha", 2)))).order
        till.fake.on(till.fake.stub.RefundPayment).returns(gone(), till.refund)
        answer = await orders.CancelOrder(cancel(placed.order_id))
        assert answer.order.state == Order.STATE_CANCELLING
        clock.time += LEASE * 2
        await checkout.resume()
        assert await states(orders) == [Order.STATE_CANCELLED]
        assert warehouse.held == {}

    async def test_what_did_not_come_about_can_not_be_cancelled(
        self, orders: OrdersServiceStub, warehouse: Warehouse
    ) -> None:
        """The error says how far the order is."""
        warehouse.fake.on(warehouse.fake.stub.Reserve).raises(OutOfStock(product_id="matcha", available=0))
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(order(("matcha", 2)))
        [failed] = (await orders.ListOrders(ListOrdersRequest())).orders
        with pytest.raises(OrderNotCancellable) as final:
            await orders.CancelOrder(cancel(failed.order_id))
        assert final.value.state == Order.STATE_FAILED

    async def test_two_who_cancel_at_once_are_told_the_same(self, orders: OrdersServiceStub, till: Till) -> None:
        """The second waits for the first."""
        placed = (await orders.PlaceOrder(order(("matcha", 2)))).order
        answers = await asyncio.gather(*(orders.CancelOrder(cancel(placed.order_id)) for _ in range(3)))
        assert {answer.order.state for answer in answers} == {Order.STATE_CANCELLED}
        assert len(till.fake.requests(till.fake.stub.RefundPayment)) == 1


class TestWatchOrder:
    """WatchOrder."""

    async def test_every_step_is_told_until_there_are_no_more(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """What is true now comes first, and nothing is told twice."""
        hold, charge = asyncio.Event(), asyncio.Event()

        async def slow_hold(request: ReserveRequest) -> ReserveResponse:
            await hold.wait()
            return warehouse.reserve(request)

        async def slow_charge(request: CapturePaymentRequest) -> CapturePaymentResponse:
            await charge.wait()
            return till.capture(request)

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(slow_hold)
        till.fake.on(till.fake.stub.CapturePayment).returns(slow_charge)
        placing = asyncio.ensure_future(orders.PlaceOrder(order(("matcha", 2))))
        await reached(orders, Order.STATE_PENDING)
        [begun] = (await orders.ListOrders(ListOrdersRequest())).orders
        told: list[Order.State.ValueType] = []
        async with asyncio.timeout(SOON):
            async for response in orders.WatchOrder(WatchOrderRequest(order_id=begun.order_id)):
                told.append(response.order.state)
                if response.order.state == Order.STATE_PENDING:
                    hold.set()
                elif response.order.state == Order.STATE_CONFIRMED:
                    charge.set()
                elif response.order.state == Order.STATE_PLACED:
                    await placing
                    await orders.CancelOrder(cancel(begun.order_id))
        steps = [state for state, _ in itertools.groupby(told)]
        assert [state for state in steps if state != Order.STATE_CANCELLING] == [
            Order.STATE_PENDING,
            Order.STATE_CONFIRMED,
            Order.STATE_PLACED,
            Order.STATE_CANCELLED,
        ]

    async def test_it_goes_on_where_it_left_off(self, orders: OrdersServiceStub) -> None:
        """A resume_token tells what was told; after the last there is nothing, and the stream ends."""
        placed = (await orders.PlaceOrder(order(("matcha", 2)))).order
        stream = orders.WatchOrder(WatchOrderRequest(order_id=placed.order_id))
        first = await anext(aiter(stream))
        stream.cancel()
        assert first.order == placed
        token = first.resume_token
        cancelled = (await orders.CancelOrder(cancel(placed.order_id))).order
        rest = [
            response
            async for response in orders.WatchOrder(WatchOrderRequest(order_id=placed.order_id, resume_token=token))
        ]
        assert [response.order for response in rest] == [cancelled]
        again = WatchOrderRequest(order_id=placed.order_id, resume_token=rest[0].resume_token)
        assert [response async for response in orders.WatchOrder(again)] == []

    async def test_a_token_of_another_order_names_its_field(self, orders: OrdersServiceStub, fields: Fields) -> None:
        """INVALID_ARGUMENT."""
        one = (await orders.PlaceOrder(order(("matcha", 2)))).order
        other = (await orders.PlaceOrder(order(("matcha", 2)))).order
        async for response in orders.WatchOrder(WatchOrderRequest(order_id=one.order_id)):
            for token in (response.resume_token, "bm90aGluZw", "%"):
                with pytest.raises(AioRpcError) as refused:
                    async for _ in orders.WatchOrder(WatchOrderRequest(order_id=other.order_id, resume_token=token)):
                        pass
                assert fields(refused.value) == ["resume_token"]
            break


class TestWhose:
    """Whose order it is."""

    async def test_another_customers_order_is_not_there(
        self, orders: OrdersServiceStub, servicer: Orders, till: Till
    ) -> None:
        """NOT_FOUND, as if it did not exist, and nothing happens to it."""
        placed = (await orders.PlaceOrder(order(("matcha", 2)))).order

        async def watch(bob: OrdersServiceStub) -> None:
            async for _ in bob.WatchOrder(WatchOrderRequest(order_id=placed.order_id)):
                pass

        async with serving(servicer, OrdersServiceStub, user=BOB) as bob:
            assert await states(bob) == []
            for call in (
                bob.GetOrder(GetOrderRequest(order_id=placed.order_id)),
                bob.CancelOrder(cancel(placed.order_id)),
                watch(bob),
            ):
                with pytest.raises(OrderNotFound):
                    await call
        assert await states(orders) == [Order.STATE_PLACED]
        assert till.charges == 1


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
