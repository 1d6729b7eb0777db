"""What the shop's contracts say: a new method is in the tests from the day it is written."""

from collections.abc import Iterator

from google.protobuf import descriptor_pool

import shop.catalog.v1
import shop.inventory.v1
import shop.orders.v1
from protomesh.v1 import options_pb2

PACKAGES = (shop.catalog.v1, shop.inventory.v1, shop.orders.v1)  # whose import has made their contracts known
SERVICES = ("shop.catalog.v1.CatalogService", "shop.inventory.v1.InventoryService", "shop.orders.v1.OrdersService")


def _methods(*audiences: int) -> Iterator[str]:
    for service in SERVICES:
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            if method.GetOptions().Extensions[options_pb2.method].audience in audiences:
                yield f"{service}/{method.name}"


PUBLIC = sorted(_methods(options_pb2.AUDIENCE_PUBLIC))
INTERNAL = sorted(_methods(options_pb2.AUDIENCE_INTERNAL, options_pb2.AUDIENCE_UNSPECIFIED))
