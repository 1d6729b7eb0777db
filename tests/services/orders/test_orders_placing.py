import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError
from sqlalchemy.orm import DeclarativeBase

from protomesh.runtime.store import Database
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.orders.checkout import Checkout
from services.orders.service import Orders
from services.orders.store import Base
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, GetProductResponse, Product
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    NotForSale,
    OutOfStock,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import (
    CardDeclined,
    GetOrderRequest,
    MixedCurrencies,
    NotEnoughStock,
    Order,
    OrderInterrupted,
    OrdersServiceStub,
    ProductNotSold,
)
from shop.payments.v1 import (
    CapturePaymentRequest,
    CapturePaymentResponse,
    DeclineReason,
    Payment,
    PaymentDeclined,
    PaymentNotCapturable,
)
from tests.services.clock import Clock
from tests.services.orders.stand_ins import (
    ALICE,
    BOB,
    CARD,
    LEASE,
    SOON,
    Till,
    Warehouse,
    cancel,
    gone,
    order,
    priced,
    reached,
    states,
)

Fields = Callable[[AioRpcError], list[str]]
Kept = Callable[[Database, type[DeclarativeBase]], Awaitable[str]]


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
        call = orders.PlaceOrder(order(("matcha", 2)), timeout=1.5 if how == "deadline" else None)
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
