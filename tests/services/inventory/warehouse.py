"""What the inventory's tests have in common: the warehouse, and requests."""

import uuid

from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    ConfirmReservationRequest,
    GetStockRequest,
    InventoryServiceStub,
    ReleaseRequest,
    ReserveRequest,
    Stock,
)

__all__ = ["KETTLES", "adjust", "confirm", "new_id", "release", "reserve", "scan", "stock"]

KETTLES = 5  # gooseneck-kettle, as the warehouse opens


def new_id() -> str:
    """A request id that nobody has used."""
    return str(uuid.uuid4())


def reserve(quantity: int, product_id: str = "gooseneck-kettle") -> ReserveRequest:
    """A new request to hold some pieces."""
    return ReserveRequest(request_id=new_id(), product_id=product_id, quantity=quantity)


def confirm(reservation_id: str) -> ConfirmReservationRequest:
    """A new request to make a reservation final."""
    return ConfirmReservationRequest(request_id=new_id(), reservation_id=reservation_id)


def release(reservation_id: str) -> ReleaseRequest:
    """A new request to give a reservation up."""
    return ReleaseRequest(request_id=new_id(), reservation_id=reservation_id)


def scan(delta: int, product_id: str = "gooseneck-kettle") -> AdjustStockRequest:
    """A new scan."""
    return AdjustStockRequest(request_id=new_id(), product_id=product_id, delta=delta)


async def stock(inventory: InventoryServiceStub, product_id: str = "gooseneck-kettle") -> Stock:
    """The stock of one product now."""
    return (await inventory.GetStock(GetStockRequest(product_id=product_id))).stock


async def adjust(inventory: InventoryServiceStub, *scans: AdjustStockRequest) -> list[AdjustStockResponse]:
    """Sends scans, and returns what came back."""
    return [response async for response in inventory.AdjustStock(iter(scans))]
