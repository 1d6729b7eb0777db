"""Generated from the contracts of shop.inventory.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import collections.abc as _collections_abc
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.inventory.v1.errors_pb2 as _shop_inventory_v1_errors__pb2
import shop.inventory.v1.inventory_service_pb2 as _shop_inventory_v1_inventory__service__pb2
from shop.inventory.v1.inventory_pb2 import Reservation as Reservation
from shop.inventory.v1.inventory_pb2 import Stock as Stock
from shop.inventory.v1.inventory_service_pb2 import AdjustStockRequest as AdjustStockRequest
from shop.inventory.v1.inventory_service_pb2 import AdjustStockResponse as AdjustStockResponse
from shop.inventory.v1.inventory_service_pb2 import ConfirmReservationRequest as ConfirmReservationRequest
from shop.inventory.v1.inventory_service_pb2 import ConfirmReservationResponse as ConfirmReservationResponse
from shop.inventory.v1.inventory_service_pb2 import GetStockRequest as GetStockRequest
from shop.inventory.v1.inventory_service_pb2 import GetStockResponse as GetStockResponse
from shop.inventory.v1.inventory_service_pb2 import ReleaseRequest as ReleaseRequest
from shop.inventory.v1.inventory_service_pb2 import ReleaseResponse as ReleaseResponse
from shop.inventory.v1.inventory_service_pb2 import ReserveRequest as ReserveRequest
from shop.inventory.v1.inventory_service_pb2 import ReserveResponse as ReserveResponse
from shop.inventory.v1.inventory_service_pb2 import WatchStockRequest as WatchStockRequest
from shop.inventory.v1.inventory_service_pb2 import WatchStockResponse as WatchStockResponse

__all__ = [
    "AdjustStockRequest",
    "AdjustStockResponse",
    "ConfirmReservationRequest",
    "ConfirmReservationResponse",
    "GetStockRequest",
    "GetStockResponse",
    "InventoryServiceServicer",
    "InventoryServiceStub",
    "NotForSale",
    "OutOfStock",
    "ReleaseRequest",
    "ReleaseResponse",
    "Reservation",
    "ReservationClosed",
    "ReservationNotFound",
    "ReserveRequest",
    "ReserveResponse",
    "Stock",
    "StockNotFound",
    "WatchStockRequest",
    "WatchStockResponse",
]

class InventoryServiceStub:
    """Knows how many of each product there are, and holds some of them for orders."""
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    GetStock: _grpc_aio.UnaryUnaryMultiCallable[_shop_inventory_v1_inventory__service__pb2.GetStockRequest, _shop_inventory_v1_inventory__service__pb2.GetStockResponse]
    """Gets the stock of one product. Returns NOT_FOUND with reason STOCK_NOT_FOUND if it was never stocked."""
    WatchStock: _grpc_aio.UnaryStreamMultiCallable[_shop_inventory_v1_inventory__service__pb2.WatchStockRequest, _shop_inventory_v1_inventory__service__pb2.WatchStockResponse]
    """Tells the stock of one product now, and again whenever it changes; changes that come close together are told
    as one. Never ends by itself. When the service is replaced the stream ends with UNAVAILABLE and reason
    STREAM_DRAINED: call again with the last resume_token. Returns NOT_FOUND with reason STOCK_NOT_FOUND if the
    product was never stocked, INVALID_ARGUMENT if resume_token is not one of this product's.
    """
    AdjustStock: _grpc_aio.StreamStreamMultiCallable[_shop_inventory_v1_inventory__service__pb2.AdjustStockRequest, _shop_inventory_v1_inventory__service__pb2.AdjustStockResponse]
    """Takes the scans of one scanner and acknowledges each, in order, once it is kept. A scan that can't be applied
    is acknowledged with a refusal, and the stream goes on. After a broken connection the scanner sends again what
    was not acknowledged: a scan counts once, however often it is sent, and is acknowledged alike. Ends with
    INVALID_ARGUMENT at a scan that breaks a rule, ALREADY_EXISTS at one whose request_id was another scan's.
    """
    Reserve: _grpc_aio.UnaryUnaryMultiCallable[_shop_inventory_v1_inventory__service__pb2.ReserveRequest, _shop_inventory_v1_inventory__service__pb2.ReserveResponse]
    """Holds stock for an order until the reservation's expire_time; what is not confirmed by then is given up by itself.
    Returns FAILED_PRECONDITION with reason OUT_OF_STOCK if less than that is available,
    with reason NOT_FOR_SALE if the catalog does not sell the product, with reason RESERVATION_CLOSED if Release gave
    the reservation up first; ALREADY_EXISTS if request_id was used for another request.
    """
    ConfirmReservation: _grpc_aio.UnaryUnaryMultiCallable[_shop_inventory_v1_inventory__service__pb2.ConfirmReservationRequest, _shop_inventory_v1_inventory__service__pb2.ConfirmReservationResponse]
    """Makes a reservation final: its stock leaves, and it does not expire any more. Confirming what is confirmed
    changes nothing. Possible for as long as the stock is held, if need be after expire_time. Returns NOT_FOUND with
    reason RESERVATION_NOT_FOUND if there is none, it has expired, or it was given up; ALREADY_EXISTS if request_id
    was used for another request.
    """
    Release: _grpc_aio.UnaryUnaryMultiCallable[_shop_inventory_v1_inventory__service__pb2.ReleaseRequest, _shop_inventory_v1_inventory__service__pb2.ReleaseResponse]
    """Gives up a reservation: its stock is available again. One that was confirmed too, as when a paid order is
    cancelled: its stock comes back. Returns NOT_FOUND with reason RESERVATION_NOT_FOUND if there is none, it has
    expired, it was given up by another request, or it was confirmed so long ago that it is forgotten; a Reserve that
    would make it later is then refused, so that a caller who never got an answer from Reserve can be sure. Returns
    ALREADY_EXISTS if request_id was used for another request.
    """

class InventoryServiceServicer(_abc.ABC):
    """Knows how many of each product there are, and holds some of them for orders."""
    @_abc.abstractmethod
    async def GetStock(self, request: _shop_inventory_v1_inventory__service__pb2.GetStockRequest, context: _protomesh_runtime_context.Context, /) -> _shop_inventory_v1_inventory__service__pb2.GetStockResponse:
        """Gets the stock of one product. Returns NOT_FOUND with reason STOCK_NOT_FOUND if it was never stocked."""
    @_abc.abstractmethod
    def WatchStock(self, request: _shop_inventory_v1_inventory__service__pb2.WatchStockRequest, context: _protomesh_runtime_context.Context, /) -> _collections_abc.AsyncIterator[_shop_inventory_v1_inventory__service__pb2.WatchStockResponse]:
        """Tells the stock of one product now, and again whenever it changes; changes that come close together are told
        as one. Never ends by itself. When the service is replaced the stream ends with UNAVAILABLE and reason
        STREAM_DRAINED: call again with the last resume_token. Returns NOT_FOUND with reason STOCK_NOT_FOUND if the
        product was never stocked, INVALID_ARGUMENT if resume_token is not one of this product's.
        """
    @_abc.abstractmethod
    def AdjustStock(self, request: _collections_abc.AsyncIterator[_shop_inventory_v1_inventory__service__pb2.AdjustStockRequest], context: _protomesh_runtime_context.Context, /) -> _collections_abc.AsyncIterator[_shop_inventory_v1_inventory__service__pb2.AdjustStockResponse]:
        """Takes the scans of one scanner and acknowledges each, in order, once it is kept. A scan that can't be applied
        is acknowledged with a refusal, and the stream goes on. After a broken connection the scanner sends again what
        was not acknowledged: a scan counts once, however often it is sent, and is acknowledged alike. Ends with
        INVALID_ARGUMENT at a scan that breaks a rule, ALREADY_EXISTS at one whose request_id was another scan's.
        """
    @_abc.abstractmethod
    async def Reserve(self, request: _shop_inventory_v1_inventory__service__pb2.ReserveRequest, context: _protomesh_runtime_context.Context, /) -> _shop_inventory_v1_inventory__service__pb2.ReserveResponse:
        """Holds stock for an order until the reservation's expire_time; what is not confirmed by then is given up by itself.
        Returns FAILED_PRECONDITION with reason OUT_OF_STOCK if less than that is available,
        with reason NOT_FOR_SALE if the catalog does not sell the product, with reason RESERVATION_CLOSED if Release gave
        the reservation up first; ALREADY_EXISTS if request_id was used for another request.
        """
    @_abc.abstractmethod
    async def ConfirmReservation(self, request: _shop_inventory_v1_inventory__service__pb2.ConfirmReservationRequest, context: _protomesh_runtime_context.Context, /) -> _shop_inventory_v1_inventory__service__pb2.ConfirmReservationResponse:
        """Makes a reservation final: its stock leaves, and it does not expire any more. Confirming what is confirmed
        changes nothing. Possible for as long as the stock is held, if need be after expire_time. Returns NOT_FOUND with
        reason RESERVATION_NOT_FOUND if there is none, it has expired, or it was given up; ALREADY_EXISTS if request_id
        was used for another request.
        """
    @_abc.abstractmethod
    async def Release(self, request: _shop_inventory_v1_inventory__service__pb2.ReleaseRequest, context: _protomesh_runtime_context.Context, /) -> _shop_inventory_v1_inventory__service__pb2.ReleaseResponse:
        """Gives up a reservation: its stock is available again. One that was confirmed too, as when a paid order is
        cancelled: its stock comes back. Returns NOT_FOUND with reason RESERVATION_NOT_FOUND if there is none, it has
        expired, it was given up by another request, or it was confirmed so long ago that it is forgotten; a Reserve that
        would make it later is then refused, so that a caller who never got an answer from Reserve can be sure. Returns
        ALREADY_EXISTS if request_id was used for another request.
        """

class StockNotFound(_protomesh_runtime_errors.DeclaredError):
    """The product was never stocked."""
    def __init__(self, *, product_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_inventory_v1_errors__pb2.StockNotFound: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...

class OutOfStock(_protomesh_runtime_errors.DeclaredError):
    """Fewer pieces are available than were asked for."""
    def __init__(self, *, product_id: _builtins.str = ..., available: _builtins.int = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_inventory_v1_errors__pb2.OutOfStock: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...
    @_builtins.property
    def available(self) -> _builtins.int: ...

class NotForSale(_protomesh_runtime_errors.DeclaredError):
    """The catalog does not know the product, or does not sell it any more."""
    def __init__(self, *, product_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_inventory_v1_errors__pb2.NotForSale: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...

class ReservationClosed(_protomesh_runtime_errors.DeclaredError):
    """The reservation was given up before it was made: a Release for it came first. Nothing is held."""
    def __init__(self, *, reservation_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_inventory_v1_errors__pb2.ReservationClosed: ...
    @_builtins.property
    def reservation_id(self) -> _builtins.str: ...

class ReservationNotFound(_protomesh_runtime_errors.DeclaredError):
    """There is no such reservation, or not any more: it was released, or has expired."""
    def __init__(self, *, reservation_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_inventory_v1_errors__pb2.ReservationNotFound: ...
    @_builtins.property
    def reservation_id(self) -> _builtins.str: ...
