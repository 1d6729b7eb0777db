"""What the shop's contracts say: a new method is in the tests from the day it is written."""

from collections.abc import Iterator

from google.protobuf import descriptor_pool

from protomesh.v1 import options_pb2
from shop.catalog.v1 import CatalogServiceServicer
from shop.identity.v1 import IdentityServiceServicer
from shop.inventory.v1 import InventoryServiceServicer
from shop.notifications.v1 import NotificationsServiceServicer
from shop.orders.v1 import OrdersServiceServicer
from shop.payments.v1 import PaymentsServiceServicer
from shop.recommendations.v1 import RecommendationsServiceServicer

SERVICES = sorted(
    f"{servicer.__module__.rpartition('.')[0]}.{servicer.__name__.removesuffix('Servicer')}"
    for servicer in (
        CatalogServiceServicer,
        IdentityServiceServicer,
        InventoryServiceServicer,
        NotificationsServiceServicer,
        OrdersServiceServicer,
        PaymentsServiceServicer,
        RecommendationsServiceServicer,
    )
)


def _methods(*audiences: int) -> Iterator[str]:
    for service in SERVICES:
        declared = descriptor_pool.Default().FindServiceByName(service)
        default = declared.GetOptions().Extensions[options_pb2.service].audience
        for method in declared.methods:
            if (method.GetOptions().Extensions[options_pb2.method].audience or default) in audiences:
                yield f"{service}/{method.name}"


EXPOSED = sorted(_methods(options_pb2.AUDIENCE_PUBLIC, options_pb2.AUDIENCE_USER))
INTERNAL = sorted(_methods(options_pb2.AUDIENCE_INTERNAL, options_pb2.AUDIENCE_UNSPECIFIED))
