"""Generated from the contracts of shop.inventory.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "AdjustStockRequest": "shop.inventory.v1.inventory_service_pb2",
    "AdjustStockResponse": "shop.inventory.v1.inventory_service_pb2",
    "ConfirmReservationRequest": "shop.inventory.v1.inventory_service_pb2",
    "ConfirmReservationResponse": "shop.inventory.v1.inventory_service_pb2",
    "GetStockRequest": "shop.inventory.v1.inventory_service_pb2",
    "GetStockResponse": "shop.inventory.v1.inventory_service_pb2",
    "InventoryServiceServicer": "shop.inventory.v1.inventory_service_pb2_grpc",
    "InventoryServiceStub": "shop.inventory.v1.inventory_service_pb2_grpc",
    "ReleaseRequest": "shop.inventory.v1.inventory_service_pb2",
    "ReleaseResponse": "shop.inventory.v1.inventory_service_pb2",
    "Reservation": "shop.inventory.v1.inventory_pb2",
    "ReserveRequest": "shop.inventory.v1.inventory_service_pb2",
    "ReserveResponse": "shop.inventory.v1.inventory_service_pb2",
    "Stock": "shop.inventory.v1.inventory_pb2",
    "WatchStockRequest": "shop.inventory.v1.inventory_service_pb2",
    "WatchStockResponse": "shop.inventory.v1.inventory_service_pb2",
}
_ERRORS = {
    "NotForSale": "shop.inventory.v1.errors_pb2",
    "OutOfStock": "shop.inventory.v1.errors_pb2",
    "ReservationClosed": "shop.inventory.v1.errors_pb2",
    "ReservationNotFound": "shop.inventory.v1.errors_pb2",
    "StockNotFound": "shop.inventory.v1.errors_pb2",
}

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


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
