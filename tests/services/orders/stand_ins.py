"""What the tests of orders put in the place of the services that orders call, and their requests."""

import asyncio
import uuid
from datetime import timedelta

import grpc
from google.type.money_pb2 import Money

from protomesh.runtime import StatusError, User
from protomesh.testing.fake import Fake
from shop.catalog.v1 import GetProductRequest, GetProductResponse, Product, ProductNotFound
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    InventoryServiceStub,
    ReleaseRequest,
    ReleaseResponse,
    ReservationNotFound,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import (
    CancelOrderRequest,
    ListOrdersRequest,
    Order,
    OrdersServiceStub,
    PlaceOrderRequest,
)
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    AuthorizePaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    PaymentNotFound,
    PaymentsServiceStub,
    RefundPaymentRequest,
    RefundPaymentResponse,
)

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
