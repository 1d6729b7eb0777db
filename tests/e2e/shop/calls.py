"""Calls of the shop, with what they are by REST."""

from google.protobuf import json_format

from shop.catalog.v1 import GetProductRequest, GetProductResponse
from shop.inventory.v1 import WatchStockRequest, WatchStockResponse
from shop.orders.v1 import PlaceOrderRequest, PlaceOrderResponse
from tests.e2e.ways import Call

Metadata = tuple[tuple[str, str], ...]

CARD = "4000000000000101"  # approves everything


def get_product(product_id: str) -> Call:
    """Unary, PUBLIC, safe."""
    request = GetProductRequest(product_id=product_id)
    method = "shop.catalog.v1.CatalogService/GetProduct"
    return Call(method, request, GetProductResponse, "GET", f"/v1/products/{product_id}")


def watch_stock(product_id: str, resume_token: str = "") -> Call:
    """A stream that never ends by itself."""
    request = WatchStockRequest(product_id=product_id, resume_token=resume_token)
    url = f"/v1/stock/{product_id}/watch" + (f"?resume_token={resume_token}" if resume_token else "")
    return Call("shop.inventory.v1.InventoryService/WatchStock", request, WatchStockResponse, "GET", url)


def place_order(customer: Metadata, request_id: str, **lines: int) -> Call:
    """A USER's write that a repeat does not do twice. The lines name products with _ for -."""
    wanted = [{"product_id": name.replace("_", "-"), "quantity": quantity} for name, quantity in lines.items()]
    body = {"request_id": request_id, "card_number": CARD, "lines": wanted}
    request = json_format.ParseDict(body, PlaceOrderRequest())
    method = "shop.orders.v1.OrdersService/PlaceOrder"
    return Call(method, request, PlaceOrderResponse, "POST", "/v1/orders", body, customer)
