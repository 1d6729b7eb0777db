import asyncio
import itertools
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase

from protomesh.runtime import StatusError, User
from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.orders.checkout import Checkout
from services.orders.service import Orders
from services.orders.store import Base
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, GetProductResponse, Product, ProductNotFound
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
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
    CancelOrderRequest,
    CardDeclined,
    GetOrderRequest,
    ListOrdersRequest,
    MixedCurrencies,
    NotEnoughStock,
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderInterrupted,
    OrderNotCancellable,
    OrderNotFound,
    OrdersServiceStub,
    PlaceOrderRequest,
    ProductNotSold,
    WatchOrderRequest,
)
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    AuthorizePaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    DeclineReason,
    Payment,
    PaymentDeclined,
    PaymentNotCapturable,
    PaymentNotFound,
    PaymentsServiceStub,
    RefundPaymentRequest,
    RefundPaymentResponse,
)

Fields = Callable[[AioRpcError], list[str]]
Kept = Callable[[Database, type[DeclarativeBase]], Awaitable[str]]
SOON = timedelta(seconds=20).total_seconds()
LEASE = timedelta(seconds=5)
ALICE, BOB = User("alice"), User("bob")
CARD = "4000000000000101"


class Warehouse:
    """Inventory's promises as a fake keeps them: what is held, by reservation."""

    def __init__(self) -> None:
        self.held: dict[str, ReserveRequest] = {}
        self.confirmed: set[str] = set()
        self.released: list[str] = []
        self.fake = Fake(InventoryServiceStub)
        self.fake.on(self.fake.stub.Reserve).returns(self.reserve)
        self.fake.on(self.fake.stub.ConfirmReservation).returns(self.confirm)
        self.fake.on(self.fake.stub.Release).returns(self.release)

    def reserve(self, request: ReserveRequest) -> ReserveResponse:
        """Holds anything."""
        self.held[request.request_id] = request
        return ReserveResponse()

    def confirm(self, request: ConfirmReservationRequest) -> ConfirmReservationResponse:
        """Makes what is held final."""
        if request.reservation_id not in self.held:
            raise ReservationNotFound(reservation_id=request.reservation_id)
        self.confirmed.add(request.reservation_id)
        return ConfirmReservationResponse()

    def release(self, request: ReleaseRequest) -> ReleaseResponse:
        """Gives up what is held, confirmed or not."""
        if self.held.pop(request.reservation_id, None) is None:
            raise ReservationNotFound(reservation_id=request.reservation_id)
        self.released.append(request.reservation_id)
        return ReleaseResponse()


class Till:
    """The payments' promises as a fake keeps them: how far each payment is."""

    def __init__(self) -> None:
        self.payments: dict[str, str] = {}
        self.requests: dict[str, AuthorizePaymentRequest] = {}
        self.fake = Fake(PaymentsServiceStub)
        self.fake.on(self.fake.stub.AuthorizePayment).returns(self.authorize)
        self.fake.on(self.fake.stub.CapturePayment).returns(self.capture)
        self.fake.on(self.fake.stub.RefundPayment).returns(self.refund)

    def authorize(self, request: AuthorizePaymentRequest) -> AuthorizePaymentResponse:
        """Holds anything."""
        assert self.payments.get(request.request_id, "held") == "held"
        self.payments[request.request_id] = "held"
        self.requests[request.request_id] = request
        return AuthorizePaymentResponse()

    def capture(self, request: CapturePaymentRequest) -> CapturePaymentResponse:
        """Charges what is held."""
        assert self.payments[request.payment_id] in {"held", "charged"}
        self.payments[request.payment_id] = "charged"
        return CapturePaymentResponse()

    def refund(self, request: RefundPaymentRequest) -> RefundPaymentResponse:
        """Gives back what is there."""
        if request.payment_id not in self.payments:
            raise PaymentNotFound(payment_id=request.payment_id)
        self.payments[request.payment_id] = "given back"
        return RefundPaymentResponse()

    @property
    def charges(self) -> int:
        """Payments that are charged now."""
        return list(self.payments.values()).count("charged")


class Clock:
    """A clock that is set forward by hand."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def __call__(self) -> datetime:
        return self.time


PRICES = {"matcha": (29, 0), "earl-grey-tea": (6, 900_000_000), "honey-spoon": (4, 500_000_000), "sample": (0, 0)}


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
def till() -> Till:
    """Payments that take any card."""
    return Till()


@pytest.fixture
def clock(now: Callable[[], datetime]) -> Clock:
    """The orders' clock."""
    return Clock(now())


@pytest.fixture
def checkout(db: Database, warehouse: Warehouse, till: Till, clock: Clock) -> Checkout:
    """What brings orders to their end."""
    return Checkout(db, warehouse.fake.stub, till.fake.stub, clock, LEASE)


@pytest.fixture
def servicer(
    db: Database, catalog: Fake[CatalogServiceStub], checkout: Checkout, clock: Clock, tokens: Iterator[str]
) -> Orders:
    """The service itself."""
    return Orders(db, catalog.stub, checkout, clock, lambda: next(tokens))


@pytest.fixture
async def orders(servicer: Orders) -> AsyncGenerator[OrdersServiceStub]:
    """A client of it, for Alice."""
    async with serving(servicer, OrdersServiceStub, user=ALICE) as client:
        yield client


def order(*lines: tuple[str, int]) -> PlaceOrderRequest:
    """A new request for an order."""
    return PlaceOrderRequest(
        request_id=str(uuid.uuid4()),
        card_number=CARD,
        lines=[PlaceOrderRequest.Line(product_id=product_id, quantity=quantity) for product_id, quantity in lines],
    )


def cancel(order_id: str) -> CancelOrderRequest:
    """A new request to cancel."""
    return CancelOrderRequest(request_id=str(uuid.uuid4()), order_id=order_id)


async def states(orders: OrdersServiceStub) -> list[Order.State.ValueType]:
    """How far all orders are, newest first."""
    return [order.state for order in (await orders.ListOrders(ListOrdersRequest(page_size=100))).orders]


async def reached(orders: OrdersServiceStub, state: Order.State.ValueType) -> None:
    """Waits until the newest order is in a state."""
    async with asyncio.timeout(SOON):
        while (await states(orders))[:1] != [state]:
            await asyncio.sleep(0.01)


def gone() -> StatusError:
    """What a call says when nobody knows what became of it."""
    return StatusError(grpc.StatusCode.UNAVAILABLE, "gone before it answered")


class TestPlaceOrder:
    """PlaceOrder."""

    async def test_an_order_has_the_prices_of_the_moment_and_is_paid(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """Its stock is set aside, line by line, and the sum is charged."""
        placed = (await orders.PlaceOrder(order(("matcha", 2), ("earl-grey-tea", 3)))).order
        assert placed.state == Order.STATE_PLACED
        assert placed.total == Money(currency_code="EUR", units=78, nanos=700_000_000)
        assert [(line.product_id, line.quantity, line.title) for line in placed.lines] == [
            ("matcha", 2, "Matcha"),
            ("earl-grey-tea", 3, "Earl-Grey-Tea"),
        ]
        assert placed.lines[1].unit_price == Money(currency_code="EUR", units=6, nanos=900_000_000)
        assert {line.reservation_id: line.quantity for line in placed.lines} == {
            request_id: held.quantity for request_id, held in warehouse.held.items()
        }
        assert warehouse.confirmed == set(warehouse.held)
        [authorized] = till.requests.values()
        assert (authorized.order_id, authorized.amount, authorized.card_number) == (
            placed.order_id,
            placed.total,
            CARD,
        )
        assert till.charges == 1

    async def test_the_payments_are_asked_on_the_customers_behalf(
        self, orders: OrdersServiceStub, till: Till, warehouse: Warehouse
    ) -> None:
        """The user travels; no message says who pays."""
        await orders.PlaceOrder(order(("matcha", 1)))
        assert {call.user.subject if call.user else None for call in (*till.fake.calls, *warehouse.fake.calls)} == {
            "alice"
        }

    async def test_a_repeat_is_answered_alike_and_orders_nothing_more(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """IDEMPOTENT in the contract: Envoy may send it again."""
        request = order(("matcha", 2))
        first = await orders.PlaceOrder(request)
        assert await orders.PlaceOrder(request) == first
        assert len(await states(orders)) == 1
        assert len(warehouse.held) == 1
        assert till.charges == 1

    async def test_repeats_that_come_at_once_are_one_order(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """Whoever is second waits for the first."""
        request = order(("matcha", 2), ("honey-spoon", 1))
        answers = await asyncio.gather(*(orders.PlaceOrder(request) for _ in range(5)))
        assert {answer.SerializeToString() for answer in answers} == {answers[0].SerializeToString()}
        assert await states(orders) == [Order.STATE_PLACED]
        assert len(warehouse.held) == 2
        assert till.charges == 1

    @pytest.mark.parametrize("change", ["quantity", "card", "customer"])
    async def test_the_same_id_for_another_order_is_refused(
        self, orders: OrdersServiceStub, servicer: Orders, till: Till, change: str
    ) -> None:
        """ALREADY_EXISTS, and nothing is held for it. Another customer learns nothing of the first one's order."""
        request = order(("matcha", 2))
        await orders.PlaceOrder(request)
        if change == "quantity":
            request.lines[0].quantity = 3
        elif change == "card":
            request.card_number = "4000000000000200"
        async with serving(servicer, OrdersServiceStub, user=BOB if change == "customer" else ALICE) as other:
            with pytest.raises(AioRpcError) as reused:
                await other.PlaceOrder(request)
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert till.charges == 1

    async def test_too_little_stock_is_told_in_the_orders_own_words(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """OutOfStock is caught by its type; the other line is given back, nobody is asked for money."""

        def only_matcha(request: ReserveRequest) -> ReserveResponse:
            if request.product_id == "honey-spoon":
                raise OutOfStock(product_id="honey-spoon", available=1)
            return warehouse.reserve(request)

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(only_matcha)
        request = order(("matcha", 2), ("honey-spoon", 9))
        for _ in range(2):  # a repeat is told the same
            with pytest.raises(NotEnoughStock) as short:
                await orders.PlaceOrder(request)
            assert (short.value.product_id, short.value.available) == ("honey-spoon", 1)
        assert warehouse.held == {}
        assert len(warehouse.released) == 1
        assert till.fake.calls == []
        assert await states(orders) == [Order.STATE_FAILED]

    @pytest.mark.parametrize("product_id", ["unobtainium", "sold-out-for-good"])
    async def test_what_is_not_sold_is_not_ordered(
        self, orders: OrdersServiceStub, catalog: Fake[CatalogServiceStub], warehouse: Warehouse, product_id: str
    ) -> None:
        """Before anything is held, or kept."""

        def sells(request: GetProductRequest) -> GetProductResponse:
            if request.product_id == "sold-out-for-good":
                return GetProductResponse(product=Product(product_id=request.product_id, sellable=False))
            return priced(request)

        catalog.on(catalog.stub.GetProduct).returns(sells)
        with pytest.raises(ProductNotSold) as unknown:
            await orders.PlaceOrder(order(("matcha", 1), (product_id, 1)))
        assert unknown.value.product_id == product_id
        assert warehouse.fake.calls == []
        assert await states(orders) == []

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

    async def test_what_costs_nothing_is_not_paid(
        self, orders: OrdersServiceStub, till: Till, warehouse: Warehouse
    ) -> None:
        """And can be cancelled without asking for money back."""
        placed = (await orders.PlaceOrder(order(("sample", 1)))).order
        assert placed.state == Order.STATE_PLACED
        await orders.CancelOrder(cancel(placed.order_id))
        assert till.fake.calls == []
        assert warehouse.held == {}

    @pytest.mark.parametrize("method", ["AuthorizePayment", "CapturePayment"])
    async def test_a_refused_card_is_told_in_the_orders_own_words(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till, method: str
    ) -> None:
        """Whenever it is refused: the stock is given back, and what was held on the card too."""
        declined = PaymentDeclined(payment_id="p", reason=DeclineReason.DECLINE_REASON_INSUFFICIENT_FUNDS)
        refusing: Any = till.fake
        refusing.on(getattr(refusing.stub, method)).raises(declined)
        request = order(("matcha", 2))
        with pytest.raises(CardDeclined) as refused:
            await orders.PlaceOrder(request)
        assert refused.value.reason == "INSUFFICIENT_FUNDS"
        with pytest.raises(CardDeclined, match="INSUFFICIENT_FUNDS"):  # a repeat is told the same
            await orders.PlaceOrder(request)
        assert warehouse.held == {}
        assert till.charges == 0
        assert "held" not in till.payments.values()
        found = (await orders.GetOrder(GetOrderRequest(order_id=refused.value.order_id))).order
        assert found.state == Order.STATE_FAILED

    @pytest.mark.parametrize("lost", ["question", "answer"])
    @pytest.mark.parametrize("method", ["Reserve", "AuthorizePayment", "ConfirmReservation"])
    async def test_nobody_knows_and_everything_is_given_back(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till, method: str, lost: str
    ) -> None:
        """The others did it, or did not, and then did not answer."""
        acts: dict[str, Callable[[Any], Any]] = {
            "Reserve": warehouse.reserve,
            "AuthorizePayment": till.authorize,
            "ConfirmReservation": warehouse.confirm,
        }

        def act(request: Any) -> Any:
            if lost == "answer":
                acts[method](request)
            raise gone()

        fake: Any = till.fake if method == "AuthorizePayment" else warehouse.fake
        fake.on(getattr(fake.stub, method)).returns(act)
        with pytest.raises(OrderInterrupted) as interrupted:
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))
        assert interrupted.value.code() is grpc.StatusCode.ABORTED
        assert warehouse.held == {}
        assert set(till.payments.values()) <= {"given back"}
        assert await states(orders) == [Order.STATE_FAILED]

    async def test_stock_that_expired_before_it_was_confirmed_ends_the_order(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till
    ) -> None:
        """Nothing is charged."""

        def late(request: ConfirmReservationRequest) -> ConfirmReservationResponse:
            warehouse.held.pop(request.reservation_id)
            return warehouse.confirm(request)

        warehouse.fake.on(warehouse.fake.stub.ConfirmReservation).returns(late, warehouse.confirm)
        with pytest.raises(OrderInterrupted):
            await orders.PlaceOrder(order(("matcha", 2), ("honey-spoon", 1)))
        assert warehouse.held == {}
        assert list(till.payments.values()) == ["given back"]

    async def test_a_late_charge_keeps_nobody_waiting_and_is_made_once(
        self, orders: OrdersServiceStub, till: Till, checkout: Checkout, clock: Clock
    ) -> None:
        """The order is confirmed; the job finds out later."""

        def late(request: CapturePaymentRequest) -> CapturePaymentResponse:
            till.capture(request)
            raise gone()

        till.fake.on(till.fake.stub.CapturePayment).returns(late, till.capture)
        confirmed = (await orders.PlaceOrder(order(("matcha", 2)))).order
        assert confirmed.state == Order.STATE_CONFIRMED
        await checkout.resume()  # its run has time left: it is left alone
        assert await states(orders) == [Order.STATE_CONFIRMED]
        clock.time += LEASE * 2
        await checkout.resume()
        assert await states(orders) == [Order.STATE_PLACED]
        captures = till.fake.requests(till.fake.stub.CapturePayment)
        assert len(captures) == 2
        assert captures[0] == captures[1]
        assert till.charges == 1

    async def test_a_payment_that_was_given_back_meanwhile_ends_the_order(
        self, orders: OrdersServiceStub, till: Till, warehouse: Warehouse
    ) -> None:
        """A person refunded it: there is nothing to charge."""
        taken_back = PaymentNotCapturable(payment_id="p", state=Payment.STATE_RELEASED)
        till.fake.on(till.fake.stub.CapturePayment).raises(taken_back)
        with pytest.raises(OrderInterrupted):
            await orders.PlaceOrder(order(("matcha", 2)))
        assert warehouse.held == {}

    @pytest.mark.parametrize("how", ["hangs up", "deadline"])
    async def test_an_order_comes_to_its_end_without_its_caller(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till, how: str
    ) -> None:
        """It is detached: it needs neither the caller nor the caller's time."""
        arrived, go = asyncio.Event(), asyncio.Event()

        async def slow(request: ReserveRequest) -> ReserveResponse:
            arrived.set()
            await go.wait()
            return warehouse.reserve(request)

        warehouse.fake.on(warehouse.fake.stub.Reserve).returns(slow)
        call = orders.PlaceOrder(order(("matcha", 2)), timeout=0.5 if how == "deadline" else None)
        async with asyncio.timeout(SOON):
            await arrived.wait()
            if how == "hangs up":
                call.cancel()
            else:
                with pytest.raises(AioRpcError) as late:
                    await call
                assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        go.set()
        await reached(orders, Order.STATE_PLACED)
        assert till.charges == 1

    async def test_giving_back_goes_on_until_it_is_done(
        self, orders: OrdersServiceStub, warehouse: Warehouse, till: Till, checkout: Checkout, clock: Clock
    ) -> None:
        """The caller hears what was wrong at once; the lines that could be released are, the other later."""
        till.fake.on(till.fake.stub.AuthorizePayment).raises(
            PaymentDeclined(payment_id="p", reason=DeclineReason.DECLINE_REASON_CARD_REFUSED)
        )
        warehouse.fake.on(warehouse.fake.stub.Release).returns(gone(), warehouse.release)
        request = order(("matcha", 2), ("earl-grey-tea", 1), ("honey-spoon", 1))
        with pytest.raises(CardDeclined):
            await orders.PlaceOrder(request)
        assert len(warehouse.held) == 1
        assert await states(orders) == [Order.STATE_PENDING]
        clock.time += LEASE * 2
        await checkout.resume()
        assert warehouse.held == {}
        assert await states(orders) == [Order.STATE_FAILED]
        with pytest.raises(CardDeclined):
            await orders.PlaceOrder(request)

    async def test_no_card_number_is_kept_or_logged(
        self, orders: OrdersServiceStub, db: Database, kept: Kept, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """In no table, in no line."""
        await orders.PlaceOrder(order(("matcha", 2)))
        found = await kept(db, Base)
        assert "matcha" in found
        assert CARD not in found
        assert CARD not in "".join(capfd.readouterr())

    @pytest.mark.parametrize(
        ("lines", "card_number", "fields_"),
        [
            ([], CARD, {"lines"}),
            ([("matcha", 1), ("matcha", 2)], CARD, {"lines"}),
            ([(f"product-{number}", 1) for number in range(21)], CARD, {"lines"}),
            ([("matcha", 1), ("honey-spoon", 0)], CARD, {"lines[1].quantity"}),
            ([("Matcha!", 1)], CARD, {"lines[0].product_id"}),
            ([("matcha", 1)], "4000 0000 0000 0101", {"card_number"}),
            ([("matcha", 1)], "", {"card_number"}),
        ],
    )
    async def test_a_request_that_breaks_a_rule_names_the_field(
        self,
        orders: OrdersServiceStub,
        fields: Fields,
        warehouse: Warehouse,
        lines: list[tuple[str, int]],
        card_number: str,
        fields_: set[str],
    ) -> None:
        """The line too, where it is one line's."""
        request = order(*lines)
        request.card_number = card_number
        with pytest.raises(AioRpcError) as refused:
            await orders.PlaceOrder(request)
        assert set(fields(refused.value)) == fields_
        assert warehouse.fake.calls == []


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


async def published(db: Database) -> list[Message]:
    """Every event of the orders, in order."""
    known = {message.DESCRIPTOR.full_name: message for message in (OrderConfirmed, OrderCancelled)}
    async with db.read() as tx:
        rows = (await tx.execute(select(OUTBOX).order_by(OUTBOX.c.sequence))).all()
    return [known[row.event_type].FromString(row.content) for row in rows]


class TestEvents:
    """What others are told."""

    async def test_an_order_is_confirmed_and_taken_back_once(self, orders: OrdersServiceStub, db: Database) -> None:
        """However often it is asked for."""
        request = order(("matcha", 2), ("honey-spoon", 1))
        placed = (await orders.PlaceOrder(request)).order
        await orders.PlaceOrder(request)
        [confirmed] = await published(db)
        assert isinstance(confirmed, OrderConfirmed)
        assert (confirmed.order_id, confirmed.customer_id) == (placed.order_id, ALICE.subject)
        assert (confirmed.total, confirmed.confirm_time) == (placed.total, placed.update_time)
        lines = [(line.product_id, line.quantity, line.title) for line in confirmed.lines]
        assert lines == [("matcha", 2, "Matcha"), ("honey-spoon", 1, "Honey-Spoon")]

        await orders.CancelOrder(cancel(placed.order_id))
        await orders.CancelOrder(cancel(placed.order_id))
        [_, cancelled] = await published(db)
        assert isinstance(cancelled, OrderCancelled)
        assert (cancelled.order_id, cancelled.customer_id) == (placed.order_id, ALICE.subject)
        assert cancelled.reason == OrderCancelled.REASON_CUSTOMER

    async def test_an_order_that_came_to_nothing_says_why(
        self, orders: OrdersServiceStub, db: Database, till: Till
    ) -> None:
        """A declined card, or somebody who did not answer: once all is given back."""
        refusals = (
            (PaymentDeclined(reason=DeclineReason.DECLINE_REASON_CARD_REFUSED), CardDeclined),
            (gone(), OrderInterrupted),
        )
        for refusal, told in refusals:
            till.fake.on(till.fake.stub.AuthorizePayment).raises(refusal)
            with pytest.raises(told):
                await orders.PlaceOrder(order(("matcha", 1)))
        events = await published(db)
        assert [event.reason for event in events if isinstance(event, OrderCancelled)] == [
            OrderCancelled.REASON_PAYMENT_DECLINED,
            OrderCancelled.REASON_UNAVAILABLE,
        ]
        assert len(events) == len(refusals)

    async def test_an_order_without_stock_is_nobody_elses_business(
        self, orders: OrdersServiceStub, db: Database, warehouse: Warehouse
    ) -> None:
        """Its customer was told at once, and nothing had begun."""
        warehouse.fake.on(warehouse.fake.stub.Reserve).raises(OutOfStock(product_id="matcha", available=1))
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(order(("matcha", 2)))
        assert await published(db) == []
