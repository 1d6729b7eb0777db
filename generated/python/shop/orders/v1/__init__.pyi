"""Generated from the contracts of shop.orders.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import collections.abc as _collections_abc
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.orders.v1.errors_pb2 as _shop_orders_v1_errors__pb2
import shop.orders.v1.orders_pb2 as _shop_orders_v1_orders__pb2
import shop.orders.v1.orders_service_pb2 as _shop_orders_v1_orders__service__pb2
from shop.orders.v1.events_pb2 import OrderCancelled as OrderCancelled
from shop.orders.v1.events_pb2 import OrderConfirmed as OrderConfirmed
from shop.orders.v1.events_pb2 import OrderedLine as OrderedLine
from shop.orders.v1.orders_pb2 import Order as Order
from shop.orders.v1.orders_pb2 import OrderLine as OrderLine
from shop.orders.v1.orders_service_pb2 import CancelOrderRequest as CancelOrderRequest
from shop.orders.v1.orders_service_pb2 import CancelOrderResponse as CancelOrderResponse
from shop.orders.v1.orders_service_pb2 import GetOrderRequest as GetOrderRequest
from shop.orders.v1.orders_service_pb2 import GetOrderResponse as GetOrderResponse
from shop.orders.v1.orders_service_pb2 import ListOrdersRequest as ListOrdersRequest
from shop.orders.v1.orders_service_pb2 import ListOrdersResponse as ListOrdersResponse
from shop.orders.v1.orders_service_pb2 import PlaceOrderRequest as PlaceOrderRequest
from shop.orders.v1.orders_service_pb2 import PlaceOrderResponse as PlaceOrderResponse
from shop.orders.v1.orders_service_pb2 import WatchOrderRequest as WatchOrderRequest
from shop.orders.v1.orders_service_pb2 import WatchOrderResponse as WatchOrderResponse

__all__ = [
    "CancelOrderRequest",
    "CancelOrderResponse",
    "CardDeclined",
    "GetOrderRequest",
    "GetOrderResponse",
    "ListOrdersRequest",
    "ListOrdersResponse",
    "MixedCurrencies",
    "NotEnoughStock",
    "Order",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderInterrupted",
    "OrderLine",
    "OrderNotCancellable",
    "OrderNotFound",
    "OrderedLine",
    "OrdersServiceServicer",
    "OrdersServiceStub",
    "PlaceOrderRequest",
    "PlaceOrderResponse",
    "ProductNotSold",
    "WatchOrderRequest",
    "WatchOrderResponse",
]

class OrdersServiceStub:
    """Takes orders, has them paid, and remembers them. A user has their own orders, and another user's are not there."""
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    PlaceOrder: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.PlaceOrderRequest, _shop_orders_v1_orders__service__pb2.PlaceOrderResponse]
    """Places an order: every line's stock is held and the whole is charged, or nothing is. The order is STATE_PLACED
    then, or STATE_CONFIRMED if the charge takes longer than the caller should wait; it goes on by itself. Once begun,
    it is brought to an end whatever becomes of the caller; a repeat waits for that end and tells it, be it a failure.
    Returns FAILED_PRECONDITION with reason NOT_ENOUGH_STOCK if a line asks for more than is available, with reason
    PRODUCT_NOT_SOLD if a product is unknown or not for sale, with reason MIXED_CURRENCIES if the lines have no
    common currency, with reason CARD_DECLINED if the card is refused; ABORTED with reason ORDER_INTERRUPTED if
    others did not answer in time; ALREADY_EXISTS if request_id was used for another order.
    """
    CancelOrder: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.CancelOrderRequest, _shop_orders_v1_orders__service__pb2.CancelOrderResponse]
    """Cancels an order: its stock is free again and its money is given back. The order is STATE_CANCELLED then, or
    STATE_CANCELLING if that takes longer than the caller should wait; it goes on by itself. Cancelling a cancelled
    order changes nothing. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none of the user's;
    FAILED_PRECONDITION with reason ORDER_NOT_CANCELLABLE if it is not placed; ALREADY_EXISTS if request_id was used
    for another request.
    """
    WatchOrder: _grpc_aio.UnaryStreamMultiCallable[_shop_orders_v1_orders__service__pb2.WatchOrderRequest, _shop_orders_v1_orders__service__pb2.WatchOrderResponse]
    """Tells one order of the user's now, and again whenever its state changes, until nothing will happen to it any more.
    When the service is replaced the stream ends with UNAVAILABLE and reason STREAM_DRAINED: call again with the last
    resume_token. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none of the user's, INVALID_ARGUMENT if
    resume_token is not one of this order's.
    """
    GetOrder: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.GetOrderRequest, _shop_orders_v1_orders__service__pb2.GetOrderResponse]
    """Gets one order of the user's. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none."""
    ListOrders: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.ListOrdersRequest, _shop_orders_v1_orders__service__pb2.ListOrdersResponse]
    """Lists the user's orders, newest first, a page at a time. Orders placed meanwhile do not shift the pages that follow.
    Returns INVALID_ARGUMENT if the page token is not one of this method's.
    """

class OrdersServiceServicer(_abc.ABC):
    """Takes orders, has them paid, and remembers them. A user has their own orders, and another user's are not there."""
    @_abc.abstractmethod
    async def PlaceOrder(self, request: _shop_orders_v1_orders__service__pb2.PlaceOrderRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.PlaceOrderResponse:
        """Places an order: every line's stock is held and the whole is charged, or nothing is. The order is STATE_PLACED
        then, or STATE_CONFIRMED if the charge takes longer than the caller should wait; it goes on by itself. Once begun,
        it is brought to an end whatever becomes of the caller; a repeat waits for that end and tells it, be it a failure.
        Returns FAILED_PRECONDITION with reason NOT_ENOUGH_STOCK if a line asks for more than is available, with reason
        PRODUCT_NOT_SOLD if a product is unknown or not for sale, with reason MIXED_CURRENCIES if the lines have no
        common currency, with reason CARD_DECLINED if the card is refused; ABORTED with reason ORDER_INTERRUPTED if
        others did not answer in time; ALREADY_EXISTS if request_id was used for another order.
        """
    @_abc.abstractmethod
    async def CancelOrder(self, request: _shop_orders_v1_orders__service__pb2.CancelOrderRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.CancelOrderResponse:
        """Cancels an order: its stock is free again and its money is given back. The order is STATE_CANCELLED then, or
        STATE_CANCELLING if that takes longer than the caller should wait; it goes on by itself. Cancelling a cancelled
        order changes nothing. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none of the user's;
        FAILED_PRECONDITION with reason ORDER_NOT_CANCELLABLE if it is not placed; ALREADY_EXISTS if request_id was used
        for another request.
        """
    @_abc.abstractmethod
    def WatchOrder(self, request: _shop_orders_v1_orders__service__pb2.WatchOrderRequest, context: _protomesh_runtime_context.Context, /) -> _collections_abc.AsyncIterator[_shop_orders_v1_orders__service__pb2.WatchOrderResponse]:
        """Tells one order of the user's now, and again whenever its state changes, until nothing will happen to it any more.
        When the service is replaced the stream ends with UNAVAILABLE and reason STREAM_DRAINED: call again with the last
        resume_token. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none of the user's, INVALID_ARGUMENT if
        resume_token is not one of this order's.
        """
    @_abc.abstractmethod
    async def GetOrder(self, request: _shop_orders_v1_orders__service__pb2.GetOrderRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.GetOrderResponse:
        """Gets one order of the user's. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none."""
    @_abc.abstractmethod
    async def ListOrders(self, request: _shop_orders_v1_orders__service__pb2.ListOrdersRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.ListOrdersResponse:
        """Lists the user's orders, newest first, a page at a time. Orders placed meanwhile do not shift the pages that follow.
        Returns INVALID_ARGUMENT if the page token is not one of this method's.
        """

class OrderNotFound(_protomesh_runtime_errors.DeclaredError):
    """There is no such order, or it is somebody else's."""
    def __init__(self, *, order_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.OrderNotFound: ...
    @_builtins.property
    def order_id(self) -> _builtins.str: ...

class NotEnoughStock(_protomesh_runtime_errors.DeclaredError):
    """A line asks for more than there is. Nothing was ordered."""
    def __init__(self, *, product_id: _builtins.str = ..., available: _builtins.int = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.NotEnoughStock: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...
    @_builtins.property
    def available(self) -> _builtins.int: ...

class ProductNotSold(_protomesh_runtime_errors.DeclaredError):
    """The product of a line is unknown or not for sale. Nothing was ordered."""
    def __init__(self, *, product_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.ProductNotSold: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...

class MixedCurrencies(_protomesh_runtime_errors.DeclaredError):
    """The products of an order are priced in more than one currency. Nothing was ordered."""
    def __init__(self, *, product_id: _builtins.str = ..., currency_code: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.MixedCurrencies: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...
    @_builtins.property
    def currency_code(self) -> _builtins.str: ...

class CardDeclined(_protomesh_runtime_errors.DeclaredError):
    """The card was refused. Nothing is held and nothing is charged; another order with another card may go through."""
    def __init__(self, *, order_id: _builtins.str = ..., reason: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.CardDeclined: ...
    @_builtins.property
    def order_id(self) -> _builtins.str: ...
    @_builtins.property
    def reason(self) -> _builtins.str:
        """What the payments say, as INSUFFICIENT_FUNDS."""

class OrderInterrupted(_protomesh_runtime_errors.DeclaredError):
    """Somebody whom the order needs did not answer in time, or this service itself broke off. Nothing is held and nothing
    is charged, now or as soon as they answer again; another order may go through.
    """
    def __init__(self, *, order_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.OrderInterrupted: ...
    @_builtins.property
    def order_id(self) -> _builtins.str: ...

class OrderNotCancellable(_protomesh_runtime_errors.DeclaredError):
    """Only an order that is placed can be cancelled."""
    def __init__(self, *, order_id: _builtins.str = ..., state: _shop_orders_v1_orders__pb2.Order.State.ValueType = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_orders_v1_errors__pb2.OrderNotCancellable: ...
    @_builtins.property
    def order_id(self) -> _builtins.str: ...
    @_builtins.property
    def state(self) -> _shop_orders_v1_orders__pb2.Order.State.ValueType: ...
