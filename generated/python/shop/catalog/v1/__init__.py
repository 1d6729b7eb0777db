"""Generated from the contracts of shop.catalog.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "CatalogServiceServicer": "shop.catalog.v1.catalog_service_pb2_grpc",
    "CatalogServiceStub": "shop.catalog.v1.catalog_service_pb2_grpc",
    "GetProductRequest": "shop.catalog.v1.catalog_service_pb2",
    "GetProductResponse": "shop.catalog.v1.catalog_service_pb2",
    "ImportProductsRequest": "shop.catalog.v1.catalog_service_pb2",
    "ImportProductsResponse": "shop.catalog.v1.catalog_service_pb2",
    "ListProductsRequest": "shop.catalog.v1.catalog_service_pb2",
    "ListProductsResponse": "shop.catalog.v1.catalog_service_pb2",
    "Product": "shop.catalog.v1.catalog_pb2",
    "SearchProductsRequest": "shop.catalog.v1.catalog_service_pb2",
    "SearchProductsResponse": "shop.catalog.v1.catalog_service_pb2",
    "UpdateProductRequest": "shop.catalog.v1.catalog_service_pb2",
    "UpdateProductResponse": "shop.catalog.v1.catalog_service_pb2",
}
_ERRORS = {
    "EtagMismatch": "shop.catalog.v1.errors_pb2",
    "ProductNotFound": "shop.catalog.v1.errors_pb2",
}

__all__ = [
    "CatalogServiceServicer",
    "CatalogServiceStub",
    "EtagMismatch",
    "GetProductRequest",
    "GetProductResponse",
    "ImportProductsRequest",
    "ImportProductsResponse",
    "ListProductsRequest",
    "ListProductsResponse",
    "Product",
    "ProductNotFound",
    "SearchProductsRequest",
    "SearchProductsResponse",
    "UpdateProductRequest",
    "UpdateProductResponse",
]


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
