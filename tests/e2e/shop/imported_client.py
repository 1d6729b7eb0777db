"""A customer of the shop, by the client that openapi-python-client makes of the gateway's document.

Run by test_shop_tools.py, with that client on the path as `imported`, and the shop's URL.
"""

# mypy: disable-error-code=import-not-found
# The client exists while the test runs.

import json
import sys
import uuid
from typing import Any

from imported import AuthenticatedClient, Client
from imported.api.shop_catalog_v_1_catalog_service import catalog_service_get_product, catalog_service_search_products
from imported.api.shop_identity_v_1_identity_service import identity_service_login, identity_service_register
from imported.api.shop_orders_v_1_orders_service import orders_service_get_order, orders_service_place_order
from imported.models import LoginRequest, PlaceOrderRequest, PlaceOrderRequestLine, RegisterRequest

CARD = "4000000000000101"  # approves everything


def story(url: str) -> dict[str, Any]:
    """Searches, registers, logs in and orders; and looks for what is not there."""
    anybody = Client(base_url=url)
    (found,) = catalog_service_search_products.sync(client=anybody, query="ceremonial").products
    missing = catalog_service_get_product.sync_detailed("no-such-tea", client=anybody)

    credentials = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    identity_service_register.sync(client=anybody, body=RegisterRequest.from_dict(credentials))
    tokens = identity_service_login.sync(client=anybody, body=LoginRequest.from_dict(credentials)).tokens

    customer = AuthenticatedClient(base_url=url, token=tokens.access_token)
    line = PlaceOrderRequestLine(product_id=found.product_id, quantity=2)
    wanted = PlaceOrderRequest(request_id=uuid.uuid4(), lines=[line], card_number=CARD)
    placed = orders_service_place_order.sync(client=customer, body=wanted).order
    order = orders_service_get_order.sync(placed.order_id, client=customer).order
    return {
        "found": found.title,
        "missing": (missing.status_code, missing.parsed.code, [item.type_ for item in missing.parsed.details]),
        "lines": [(line.product_id, line.quantity) for line in order.lines],
        "state": order.state,
        "stranger": int(orders_service_get_order.sync_detailed(placed.order_id, client=anybody).status_code),
    }


if __name__ == "__main__":
    print(json.dumps(story(sys.argv[1])))  # noqa: T201 - it is its answer
