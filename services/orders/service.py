"""OrdersService: orders as their contract has them."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime

import grpc
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs] - googleapis has none

from protomesh.runtime import Context, DeclaredError, StatusError, detached
from protomesh.runtime.store import (
    Database,
    Page,
    RequestIdReused,
    Transaction,
    Watch,
    read_resume_token,
    remember,
    replayed,
    resume_token,
)
from protomesh.runtime.timestamps import timestamp
from services.orders import domain, store
from services.orders.checkout import Checkout
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, ProductNotFound
from shop.orders.v1 import (
    CancelOrderRequest,
    CancelOrderResponse,
    CardDeclined,
    GetOrderRequest,
    GetOrderResponse,
    ListOrdersRequest,
    ListOrdersResponse,
    MixedCurrencies,
    NotEnoughStock,
    Order,
    OrderInterrupted,
    OrderLine,
    OrderNotCancellable,
    OrderNotFound,
    OrdersServiceServicer,
    PlaceOrderRequest,
    PlaceOrderResponse,
    ProductNotSold,
    WatchOrderRequest,
    WatchOrderResponse,
)

__all__ = ["Orders"]

_STATES = {
    domain.OrderState.RESERVING: Order.STATE_PENDING,
    domain.OrderState.AUTHORIZING: Order.STATE_PENDING,
    domain.OrderState.CONFIRMING: Order.STATE_PENDING,
    domain.OrderState.GIVING_UP: Order.STATE_PENDING,
    domain.OrderState.CAPTURING: Order.STATE_CONFIRMED,
    domain.OrderState.PLACED: Order.STATE_PLACED,
    domain.OrderState.FAILED: Order.STATE_FAILED,
    domain.OrderState.CANCELLING: Order.STATE_CANCELLING,
    domain.OrderState.CANCELLED: Order.STATE_CANCELLED,
}


class Orders(OrdersServiceServicer):
    """Takes orders into one database, at the catalog's prices; the checkout brings them to their end.

    `token` makes the part of an order's id that tells two orders of one millisecond apart.
    """

    def __init__(
        self,
        db: Database,
        catalog: CatalogServiceStub,
        checkout: Checkout,
        now: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self._db = db
        self._orders = Watch(db, store.orders_of)
        self._catalog = catalog
        self._checkout = checkout
        self._now = now
        self._token = token

    async def PlaceOrder(self, request: PlaceOrderRequest, context: Context, /) -> PlaceOrderResponse:
        customer = context.require_user().subject
        # What is kept of a request is kept without the card's number, be it as a hash: there are too few numbers.
        kept = PlaceOrderRequest()
        kept.CopyFrom(request)
        kept.card_number = request.card_number[-4:]
        async with self._db.read() as tx:
            first = await replayed(tx, kept, PlaceOrderResponse)
        if first is None:
            priced = await self._priced(request, customer)
            # From here on the order is brought to its end, and no caller who hangs up leaves it in between.
            with suppress(TimeoutError):  # how far it is then, is told below
                async with detached(timeout=self._checkout.limit):
                    async with self._db.begin() as tx:
                        first = await replayed(tx, kept, PlaceOrderResponse)
                        run = None if first is not None else await store.add(tx, priced, lease=self._checkout.lease())
                        first = first or await remember(tx, kept, PlaceOrderResponse(order=_message(priced)))
                    if run is not None:
                        order = await self._checkout.run(priced, run, request.card_number)
                        if not _undecided(order):
                            return _placed(order)
        assert first is not None  # it was kept before any time could pass
        order = await self._checkout.settled(first.order.order_id)
        if order.customer != customer:
            raise RequestIdReused(request.request_id)
        return _placed(order)

    async def CancelOrder(self, request: CancelOrderRequest, context: Context, /) -> CancelOrderResponse:
        customer = context.require_user().subject
        with suppress(TimeoutError):  # how far it is then, is told below
            async with detached(timeout=self._checkout.limit):
                run = None
                async with self._db.begin() as tx:
                    if done := await replayed(tx, request, CancelOrderResponse):
                        return done
                    order = await _own(tx, request.order_id, customer)
                    cancelling = order.cancelling(self._now())
                    if cancelling is None:
                        raise OrderNotCancellable(order_id=order.order_id, state=_STATES[order.state])
                    if cancelling is not order:
                        run = await store.take(tx, order.order_id, lease=self._checkout.lease())
                        await store.keep(tx, cancelling, run)
                if run is not None:
                    await self._checkout.run(cancelling, run)
                else:
                    await self._checkout.settled(order.order_id)
        async with self._db.begin() as tx:
            if done := await replayed(tx, request, CancelOrderResponse):
                return done
            order = await _own(tx, request.order_id, customer)
            return await remember(tx, request, CancelOrderResponse(order=_message(order)))

    async def WatchOrder(self, request: WatchOrderRequest, context: Context, /) -> AsyncIterator[WatchOrderResponse]:
        customer = context.require_user().subject
        told = None
        if request.resume_token:
            refusal = f"is not one that WatchOrder gave out for {request.order_id}"
            told = read_resume_token(request.resume_token, request.order_id, refusal)
        async with self._orders.of(request.order_id) as states:
            async for state in states:
                order = _owned(state, request.order_id, customer)
                if order.version != told:
                    told = order.version
                    yield WatchOrderResponse(
                        order=_message(order), resume_token=resume_token(order.order_id, order.version)
                    )
                if order.final:
                    return

    async def GetOrder(self, request: GetOrderRequest, context: Context, /) -> GetOrderResponse:
        async with self._db.read() as tx:
            return GetOrderResponse(order=_message(await _own(tx, request.order_id, context.require_user().subject)))

    async def ListOrders(self, request: ListOrdersRequest, context: Context, /) -> ListOrdersResponse:
        page = Page.of(request)
        before = page.after[0] if page.after is not None else None
        async with self._db.read() as tx:
            found = await store.orders_before(tx, context.require_user().subject, before, limit=page.limit)
        shown, token = page.cut(found, key=lambda order: (order.order_id,))
        return ListOrdersResponse(orders=[_message(order) for order in shown], next_page_token=token)

    async def _priced(self, request: PlaceOrderRequest, customer: str) -> domain.Order:
        now = self._now()
        order_id = domain.order_id(now, self._token())
        lines = [await self._line(order_id, line) for line in request.lines]
        for line in lines:
            if line.unit_price.currency_code != lines[0].unit_price.currency_code:
                raise MixedCurrencies(product_id=line.product_id, currency_code=line.unit_price.currency_code)
        return domain.Order.begun(order_id, customer, lines, now)

    async def _line(self, order_id: str, line: PlaceOrderRequest.Line) -> domain.Line:
        try:
            product = (await self._catalog.GetProduct(GetProductRequest(product_id=line.product_id))).product
        except ProductNotFound:
            raise ProductNotSold(product_id=line.product_id) from None
        if not product.sellable:
            raise ProductNotSold(product_id=line.product_id)
        return domain.Line(
            product_id=line.product_id,
            quantity=line.quantity,
            title=product.title,
            unit_price=product.price,
            reservation_id=domain.named(order_id, line.product_id),
        )


async def _own(tx: Transaction, order_id: str, customer: str) -> domain.Order:
    return _owned(await store.order_of(tx, order_id), order_id, customer)


def _owned(order: domain.Order | None, order_id: str, customer: str) -> domain.Order:
    """An order of this customer; nobody learns that there is one of another."""
    if order is None or order.customer != customer:
        raise OrderNotFound(order_id=order_id)
    return order


def _undecided(order: domain.Order) -> bool:
    """Whether nobody can say yet that the order comes about, or that it does not."""
    return order.state in {
        domain.OrderState.RESERVING,
        domain.OrderState.AUTHORIZING,
        domain.OrderState.CONFIRMING,
    }


def _placed(order: domain.Order) -> PlaceOrderResponse:
    """What whoever ordered is told."""
    if order.failure is not None:
        raise _error(order.order_id, order.failure)
    if _undecided(order):
        raise StatusError(
            grpc.StatusCode.UNAVAILABLE,
            f"order {order.order_id} is not decided yet; ask again with the same request_id",
            error_details_pb2.ErrorInfo(reason="ORDER_UNDECIDED", domain="shop.orders.v1"),
        )
    return PlaceOrderResponse(order=_message(order))


def _error(order_id: str, failure: domain.Failure) -> DeclaredError:
    match failure.kind:
        case domain.FailureKind.OUT_OF_STOCK:
            return NotEnoughStock(product_id=failure.about, available=failure.available)
        case domain.FailureKind.NOT_SOLD:
            return ProductNotSold(product_id=failure.about)
        case domain.FailureKind.DECLINED:
            return CardDeclined(order_id=order_id, reason=failure.about)
        case domain.FailureKind.INTERRUPTED:
            return OrderInterrupted(order_id=order_id)


def _message(order: domain.Order) -> Order:
    return Order(
        order_id=order.order_id,
        state=_STATES[order.state],
        lines=[
            OrderLine(
                product_id=line.product_id,
                quantity=line.quantity,
                title=line.title,
                unit_price=line.unit_price,
                reservation_id=line.reservation_id,
            )
            for line in order.lines
        ],
        total=order.total,
        create_time=timestamp(order.create_time),
        update_time=timestamp(order.update_time),
    )
