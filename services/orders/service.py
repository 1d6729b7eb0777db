"""OrdersService: orders as their contract has them."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError

from protomesh.runtime import Context, StatusError, detached
from protomesh.runtime.store import Database, Page, remember, replayed
from services.orders import domain, store
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, ProductNotFound
from shop.inventory.v1 import (
    InventoryServiceStub,
    NotForSale,
    OutOfStock,
    ReleaseRequest,
    ReservationNotFound,
    ReserveRequest,
)
from shop.orders.v1 import (
    GetOrderRequest,
    GetOrderResponse,
    ListOrdersRequest,
    ListOrdersResponse,
    MixedCurrencies,
    NotEnoughStock,
    Order,
    OrderLine,
    OrderNotFound,
    OrdersServiceServicer,
    PlaceOrderRequest,
    PlaceOrderResponse,
    ProductNotSold,
)

__all__ = ["Orders"]

# What an order may take once its stock is held, and what giving the stock back may take, whatever the caller does.
_TO_KEEP = timedelta(seconds=3)
_TO_RELEASE = timedelta(seconds=10)

# Names the holds of an order, so that they can be released even if their answers were lost.
_HOLDS = uuid.UUID("6f2f9f0e-6a0a-4a55-8f3c-0d7e5c1f6b1a")

_STATES = {domain.OrderState.PLACED: Order.STATE_PLACED}

_log = structlog.get_logger(__name__)


class Orders(OrdersServiceServicer):
    """Takes orders into one database, at the catalog's prices, with stock that the inventory holds.

    `token` makes the part of an order's id that tells two orders of one millisecond apart.
    """

    def __init__(
        self,
        db: Database,
        catalog: CatalogServiceStub,
        inventory: InventoryServiceStub,
        now: Callable[[], datetime],
        token: Callable[[], str],
    ) -> None:
        self._db = db
        self._catalog = catalog
        self._inventory = inventory
        self._now = now
        self._token = token

    async def PlaceOrder(self, request: PlaceOrderRequest, context: Context, /) -> PlaceOrderResponse:
        async with self._db.read() as tx:
            if done := await replayed(tx, request, PlaceOrderResponse):
                return done
        order = await self._priced(request)
        try:
            for line in order.lines:
                await self._hold(line)
            # From here on the order is kept or given up, and no caller who hangs up leaves it in between.
            async with detached(timeout=_TO_KEEP):
                response = await self._keep(request, order)
        except BaseException:
            await self._give_up(order)
            raise
        if response.order.order_id != order.order_id:
            await self._give_up(order)  # the same request, sent twice, was faster elsewhere
            return response
        _log.info("order placed", order_id=order.order_id, lines=len(order.lines))
        return response

    async def GetOrder(self, request: GetOrderRequest, context: Context, /) -> GetOrderResponse:
        async with self._db.read() as tx:
            order = await store.order_of(tx, request.order_id)
        if order is None:
            raise OrderNotFound(order_id=request.order_id)
        return GetOrderResponse(order=_message(order))

    async def ListOrders(self, request: ListOrdersRequest, context: Context, /) -> ListOrdersResponse:
        page = Page.of(request)
        before = page.after[0] if page.after is not None else None
        async with self._db.read() as tx:
            found = await store.orders_before(tx, before, limit=page.limit)
        shown, token = page.cut(found, key=lambda order: (order.order_id,))
        return ListOrdersResponse(orders=[_message(order) for order in shown], next_page_token=token)

    async def _priced(self, request: PlaceOrderRequest) -> domain.Order:
        now = self._now()
        order_id = domain.order_id(now, self._token())
        lines = [await self._line(order_id, line) for line in request.lines]
        for line in lines:
            if line.unit_price.currency_code != lines[0].unit_price.currency_code:
                raise MixedCurrencies(product_id=line.product_id, currency_code=line.unit_price.currency_code)
        return domain.Order.placed(order_id, lines, now)

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
            # Of this try and no other: holds of an earlier one that failed are given up, and must not be found again.
            reservation_id=str(uuid.uuid5(_HOLDS, f"{order_id}/{line.product_id}")),
        )

    async def _hold(self, line: domain.Line) -> None:
        hold = ReserveRequest(request_id=line.reservation_id, product_id=line.product_id, quantity=line.quantity)
        try:
            await self._inventory.Reserve(hold)
        except OutOfStock as short:
            raise NotEnoughStock(product_id=short.product_id, available=short.available) from None
        except NotForSale as unknown:
            raise ProductNotSold(product_id=unknown.product_id) from None

    async def _keep(self, request: PlaceOrderRequest, order: domain.Order) -> PlaceOrderResponse:
        async with self._db.begin() as tx:
            if done := await replayed(tx, request, PlaceOrderResponse):
                return done
            await store.add(tx, order)
            return await remember(tx, request, PlaceOrderResponse(order=_message(order)))

    async def _give_up(self, order: domain.Order) -> None:
        """Releases whatever the inventory holds for an order, unless the order was kept after all."""
        try:
            async with detached(timeout=_TO_RELEASE):
                async with self._db.read() as tx:
                    if await store.order_of(tx, order.order_id) is not None:
                        return
                await asyncio.gather(*(self._release(order.order_id, line) for line in order.lines))
        except (TimeoutError, StatusError) as error:
            # The caller hears why the order failed, not this.
            _log.error("stock may stay held", order_id=order.order_id, exc_info=error)

    async def _release(self, order_id: str, line: domain.Line) -> None:
        release = ReleaseRequest(
            request_id=str(uuid.uuid5(_HOLDS, f"{order_id}/{line.product_id}/release")),
            reservation_id=line.reservation_id,
        )
        try:
            await self._inventory.Release(release)
        except ReservationNotFound:
            pass  # it never came to that
        except AioRpcError as error:
            # The other lines are tried all the same. What stays held here needs a person, or the expiry to come.
            _log.error(
                "stock stays held", order_id=order_id, reservation_id=line.reservation_id, code=error.code().name
            )


def _message(order: domain.Order) -> Order:
    message = Order(
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
        create_time=Timestamp(),
    )
    message.create_time.FromDatetime(order.create_time)
    return message
