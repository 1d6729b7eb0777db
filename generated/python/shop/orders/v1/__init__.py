"""Generated from the contracts of shop.orders.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "CancelOrderRequest": "shop.orders.v1.orders_service_pb2",
    "CancelOrderResponse": "shop.orders.v1.orders_service_pb2",
    "GetOrderRequest": "shop.orders.v1.orders_service_pb2",
    "GetOrderResponse": "shop.orders.v1.orders_service_pb2",
    "ListOrdersRequest": "shop.orders.v1.orders_service_pb2",
    "ListOrdersResponse": "shop.orders.v1.orders_service_pb2",
    "Order": "shop.orders.v1.orders_pb2",
    "OrderCancelled": "shop.orders.v1.events_pb2",
    "OrderConfirmed": "shop.orders.v1.events_pb2",
    "OrderLine": "shop.orders.v1.orders_pb2",
    "OrderedLine": "shop.orders.v1.events_pb2",
    "OrdersServiceServicer": "shop.orders.v1.orders_service_pb2_grpc",
    "OrdersServiceStub": "shop.orders.v1.orders_service_pb2_grpc",
    "PlaceOrderRequest": "shop.orders.v1.orders_service_pb2",
    "PlaceOrderResponse": "shop.orders.v1.orders_service_pb2",
    "WatchOrderRequest": "shop.orders.v1.orders_service_pb2",
    "WatchOrderResponse": "shop.orders.v1.orders_service_pb2",
}
_ERRORS = {
    "CardDeclined": "shop.orders.v1.errors_pb2",
    "MixedCurrencies": "shop.orders.v1.errors_pb2",
    "NotEnoughStock": "shop.orders.v1.errors_pb2",
    "OrderInterrupted": "shop.orders.v1.errors_pb2",
    "OrderNotCancellable": "shop.orders.v1.errors_pb2",
    "OrderNotFound": "shop.orders.v1.errors_pb2",
    "ProductNotSold": "shop.orders.v1.errors_pb2",
}

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


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
