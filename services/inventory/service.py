"""InventoryService: stock as its contract has it."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import structlog

from protomesh.runtime import Context
from protomesh.runtime.store import (
    Database,
    RequestIdReused,
    Transaction,
    Watch,
    read_resume_token,
    remember,
    replayed,
    resume_token,
)
from protomesh.runtime.timestamps import timestamp
from services.inventory import domain, store
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, ProductNotFound
from shop.catalog.v1 import Product as CatalogProduct
from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    GetStockRequest,
    GetStockResponse,
    InventoryServiceServicer,
    NotForSale,
    OutOfStock,
    ReleaseRequest,
    ReleaseResponse,
    Reservation,
    ReservationClosed,
    ReservationNotFound,
    ReserveRequest,
    ReserveResponse,
    Stock,
    StockNotFound,
    WatchStockRequest,
    WatchStockResponse,
)

__all__ = ["Inventory"]

_log = structlog.get_logger(__name__)


class Inventory(InventoryServiceServicer):
    """Serves the stock of one database. The catalog says what is sold.

    A reservation may be given up once it is older than `reservation_lifetime` and not confirmed;
    `services.inventory.expiry` does it.
    """

    def __init__(
        self,
        db: Database,
        catalog: CatalogServiceStub,
        now: Callable[[], datetime],
        reservation_lifetime: timedelta = timedelta(minutes=15),
    ) -> None:
        self._db = db
        self._stocks = Watch(db, store.stocks_of)
        self._catalog = catalog
        self._now = now
        self._reservation_lifetime = reservation_lifetime

    async def GetStock(self, request: GetStockRequest, context: Context, /) -> GetStockResponse:
        return GetStockResponse(stock=_message(await self._stock(request.product_id)))

    async def WatchStock(self, request: WatchStockRequest, context: Context, /) -> AsyncIterator[WatchStockResponse]:
        told = None
        if request.resume_token:
            refusal = f"is not one that WatchStock gave out for {request.product_id}"
            told = read_resume_token(request.resume_token, request.product_id, refusal)
        async with self._stocks.of(request.product_id) as states:
            async for stock in states:
                if stock is None:
                    raise StockNotFound(product_id=request.product_id)
                if stock.version != told:
                    told = stock.version
                    yield WatchStockResponse(
                        stock=_message(stock), resume_token=resume_token(stock.product_id, stock.version)
                    )

    async def AdjustStock(
        self, requests: AsyncIterator[AdjustStockRequest], context: Context, /
    ) -> AsyncIterator[AdjustStockResponse]:
        async for scan in requests:
            yield await self._adjust(scan)

    async def Reserve(self, request: ReserveRequest, context: Context, /) -> ReserveResponse:
        async with self._db.read() as tx:
            if done := await replayed(tx, request, ReserveResponse):
                return done  # whether or not the catalog is there
        product = await self._product(request.product_id)
        async with self._db.begin() as tx:
            if done := await replayed(tx, request, ReserveResponse):
                return done
            if await store.is_closed(tx, request.request_id):
                raise ReservationClosed(reservation_id=request.request_id)
            if await store.reservation_of(tx, request.request_id) is not None:
                raise RequestIdReused(request.request_id)  # so long ago that the answer is forgotten
            stock = await store.stock_of(tx, request.product_id)
            if stock is None or product is None or not product.sellable:
                raise NotForSale(product_id=request.product_id)
            now = self._now()
            held = stock.holding(request.quantity, now)
            if held is None:
                raise OutOfStock(product_id=request.product_id, available=stock.available)
            reservation = domain.Reservation.of(
                request.request_id, request.product_id, request.quantity, now, self._reservation_lifetime
            )
            await store.put_stock(tx, held)
            await store.put_reservation(tx, reservation)
            response = await remember(tx, request, ReserveResponse(reservation=_reservation(reservation)))
        _log.info("stock reserved", product_id=request.product_id, quantity=request.quantity, left=held.available)
        return response

    async def ConfirmReservation(
        self, request: ConfirmReservationRequest, context: Context, /
    ) -> ConfirmReservationResponse:
        async with self._db.begin() as tx:
            if done := await replayed(tx, request, ConfirmReservationResponse):
                return done
            reservation = await store.reservation_of(tx, request.reservation_id)
            if reservation is None:
                raise ReservationNotFound(reservation_id=request.reservation_id)
            if not reservation.confirmed:
                stock = await _stock_of(tx, reservation)
                await store.put_stock(tx, stock.parting_with(reservation.quantity, self._now()))
                reservation = reservation.final()
                await store.put_reservation(tx, reservation)
            response = await remember(tx, request, ConfirmReservationResponse(reservation=_reservation(reservation)))
        _log.info("reservation confirmed", product_id=reservation.product_id, quantity=reservation.quantity)
        return response

    async def Release(self, request: ReleaseRequest, context: Context, /) -> ReleaseResponse:
        async with self._db.begin() as tx:
            if done := await replayed(tx, request, ReleaseResponse):
                return done
            reservation = await store.reservation_of(tx, request.reservation_id)
            if reservation is None:
                await store.close(tx, request.reservation_id, self._now())  # what would make it may be under way
            else:
                stock = await _stock_of(tx, reservation)
                await store.put_stock(tx, reservation.given_up(stock, self._now()))
                await store.remove_reservations(tx, [reservation.reservation_id])
                await remember(tx, request, ReleaseResponse())
        if reservation is None:
            raise ReservationNotFound(reservation_id=request.reservation_id)
        _log.info("stock released", product_id=reservation.product_id, quantity=reservation.quantity)
        return ReleaseResponse()

    async def _stock(self, product_id: str) -> domain.Stock:
        async with self._db.read() as tx:
            stock = await store.stock_of(tx, product_id)
        if stock is None:
            raise StockNotFound(product_id=product_id)
        return stock

    async def _product(self, product_id: str) -> CatalogProduct | None:
        try:
            return (await self._catalog.GetProduct(GetProductRequest(product_id=product_id))).product
        except ProductNotFound:
            return None

    async def _adjust(self, scan: AdjustStockRequest) -> AdjustStockResponse:
        async with self._db.read() as tx:
            if done := await replayed(tx, scan, AdjustStockResponse):
                return done  # whether or not the catalog is there
            stocked = await store.stock_of(tx, scan.product_id) is not None
        # Asked before the transaction: nobody waits for the catalog with the database in hand.
        known = stocked or await self._product(scan.product_id) is not None
        async with self._db.begin() as tx:
            if done := await replayed(tx, scan, AdjustStockResponse):
                return done
            response = AdjustStockResponse(request_id=scan.request_id)
            if not known:
                response.refusal = AdjustStockResponse.REFUSAL_UNKNOWN_PRODUCT
                return await remember(tx, scan, response)
            now = self._now()
            stock = await store.stock_of(tx, scan.product_id) or domain.Stock.none_yet(scan.product_id, now)
            adjusted = stock.adjusted(scan.delta, now)
            if adjusted is None:
                response.refusal = (
                    AdjustStockResponse.REFUSAL_TOO_MANY
                    if scan.delta > 0
                    else AdjustStockResponse.REFUSAL_BELOW_RESERVED
                )
                return await remember(tx, scan, response)
            await store.put_stock(tx, adjusted)
            response.stock.CopyFrom(_message(adjusted))
            await remember(tx, scan, response)
        _log.info("stock adjusted", product_id=scan.product_id, delta=scan.delta, on_hand=adjusted.on_hand)
        return response


async def _stock_of(tx: Transaction, reservation: domain.Reservation) -> domain.Stock:
    stock = await store.stock_of(tx, reservation.product_id)
    assert stock is not None  # a foreign key of the reservation
    return stock


def _message(stock: domain.Stock) -> Stock:
    return Stock(
        product_id=stock.product_id,
        available=stock.available,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        update_time=timestamp(stock.update_time),
    )


def _reservation(reservation: domain.Reservation) -> Reservation:
    return Reservation(
        reservation_id=reservation.reservation_id,
        product_id=reservation.product_id,
        quantity=reservation.quantity,
        create_time=timestamp(reservation.create_time),
        expire_time=None if reservation.expire_time is None else timestamp(reservation.expire_time),
    )
