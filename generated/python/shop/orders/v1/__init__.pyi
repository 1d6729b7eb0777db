"""Generated from the contracts of shop.orders.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.orders.v1.errors_pb2 as _shop_orders_v1_errors__pb2
import shop.orders.v1.orders_service_pb2 as _shop_orders_v1_orders__service__pb2
from shop.orders.v1.events_pb2 import OrderCancelled as OrderCancelled
from shop.orders.v1.events_pb2 import OrderConfirmed as OrderConfirmed
from shop.orders.v1.events_pb2 import OrderedLine as OrderedLine
from shop.orders.v1.orders_pb2 import Order as Order
from shop.orders.v1.orders_pb2 import OrderLine as OrderLine
from shop.orders.v1.orders_service_pb2 import GetOrderRequest as GetOrderRequest
from shop.orders.v1.orders_service_pb2 import GetOrderResponse as GetOrderResponse
from shop.orders.v1.orders_service_pb2 import ListOrdersRequest as ListOrdersRequest
from shop.orders.v1.orders_service_pb2 import ListOrdersResponse as ListOrdersResponse
from shop.orders.v1.orders_service_pb2 import PlaceOrderRequest as PlaceOrderRequest
from shop.orders.v1.orders_service_pb2 import PlaceOrderResponse as PlaceOrderResponse

__all__ = [
    "GetOrderRequest",
    "GetOrderResponse",
    "ListOrdersRequest",
    "ListOrdersResponse",
    "MixedCurrencies",
    "NotEnoughStock",
    "Order",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderLine",
    "OrderNotFound",
    "OrderedLine",
    "OrdersServiceServicer",
    "OrdersServiceStub",
    "PlaceOrderRequest",
    "PlaceOrderResponse",
    "ProductNotSold",
]

class OrdersServiceStub:
    """Takes orders and remembers them. Its methods are PUBLIC until tokens are verified; an order holds nothing about a
    person yet.
    """
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    PlaceOrder: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.PlaceOrderRequest, _shop_orders_v1_orders__service__pb2.PlaceOrderResponse]
    """Places an order: every line's product is looked up and its stock is held, or nothing is. Returns
    FAILED_PRECONDITION with reason NOT_ENOUGH_STOCK if a line asks for more than is available, with reason
    PRODUCT_NOT_SOLD if a product is unknown or not for sale, with reason MIXED_CURRENCIES if the lines have no
    common currency; ALREADY_EXISTS if request_id was used for another order.
    """
    GetOrder: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.GetOrderRequest, _shop_orders_v1_orders__service__pb2.GetOrderResponse]
    """Gets one order. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none."""
    ListOrders: _grpc_aio.UnaryUnaryMultiCallable[_shop_orders_v1_orders__service__pb2.ListOrdersRequest, _shop_orders_v1_orders__service__pb2.ListOrdersResponse]
    """Lists orders, newest first, a page at a time. Orders placed meanwhile do not shift the pages that follow.
    Returns INVALID_ARGUMENT if the page token is not one of this method's.
    """

class OrdersServiceServicer(_abc.ABC):
    """Takes orders and remembers them. Its methods are PUBLIC until tokens are verified; an order holds nothing about a
    person yet.
    """
    @_abc.abstractmethod
    async def PlaceOrder(self, request: _shop_orders_v1_orders__service__pb2.PlaceOrderRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.PlaceOrderResponse:
        """Places an order: every line's product is looked up and its stock is held, or nothing is. Returns
        FAILED_PRECONDITION with reason NOT_ENOUGH_STOCK if a line asks for more than is available, with reason
        PRODUCT_NOT_SOLD if a product is unknown or not for sale, with reason MIXED_CURRENCIES if the lines have no
        common currency; ALREADY_EXISTS if request_id was used for another order.
        """
    @_abc.abstractmethod
    async def GetOrder(self, request: _shop_orders_v1_orders__service__pb2.GetOrderRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.GetOrderResponse:
        """Gets one order. Returns NOT_FOUND with reason ORDER_NOT_FOUND if there is none."""
    @_abc.abstractmethod
    async def ListOrders(self, request: _shop_orders_v1_orders__service__pb2.ListOrdersRequest, context: _protomesh_runtime_context.Context, /) -> _shop_orders_v1_orders__service__pb2.ListOrdersResponse:
        """Lists orders, newest first, a page at a time. Orders placed meanwhile do not shift the pages that follow.
        Returns INVALID_ARGUMENT if the page token is not one of this method's.
        """

class OrderNotFound(_protomesh_runtime_errors.DeclaredError):
    """There is no such order."""
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
