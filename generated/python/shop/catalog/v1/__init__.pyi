"""Generated from the contracts of shop.catalog.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import collections.abc as _collections_abc
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.catalog.v1.catalog_service_pb2 as _shop_catalog_v1_catalog__service__pb2
import shop.catalog.v1.errors_pb2 as _shop_catalog_v1_errors__pb2
from shop.catalog.v1.catalog_pb2 import Product as Product
from shop.catalog.v1.catalog_service_pb2 import GetProductRequest as GetProductRequest
from shop.catalog.v1.catalog_service_pb2 import GetProductResponse as GetProductResponse
from shop.catalog.v1.catalog_service_pb2 import ImportProductsRequest as ImportProductsRequest
from shop.catalog.v1.catalog_service_pb2 import ImportProductsResponse as ImportProductsResponse
from shop.catalog.v1.catalog_service_pb2 import ListProductsRequest as ListProductsRequest
from shop.catalog.v1.catalog_service_pb2 import ListProductsResponse as ListProductsResponse
from shop.catalog.v1.catalog_service_pb2 import SearchProductsRequest as SearchProductsRequest
from shop.catalog.v1.catalog_service_pb2 import SearchProductsResponse as SearchProductsResponse
from shop.catalog.v1.catalog_service_pb2 import UpdateProductRequest as UpdateProductRequest
from shop.catalog.v1.catalog_service_pb2 import UpdateProductResponse as UpdateProductResponse

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

class CatalogServiceStub:
    """Lets shoppers browse the shop's products. Owns product data; how many there are belongs to InventoryService."""
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    ListProducts: _grpc_aio.UnaryUnaryMultiCallable[_shop_catalog_v1_catalog__service__pb2.ListProductsRequest, _shop_catalog_v1_catalog__service__pb2.ListProductsResponse]
    """Lists all products by product_id, a page at a time. Products added meanwhile neither repeat nor hide others.
    Returns INVALID_ARGUMENT if the page token is not one of this method's.
    """
    SearchProducts: _grpc_aio.UnaryUnaryMultiCallable[_shop_catalog_v1_catalog__service__pb2.SearchProductsRequest, _shop_catalog_v1_catalog__service__pb2.SearchProductsResponse]
    """Finds products that have every word of the query in title, description or category, a page at a time.
    Returns INVALID_ARGUMENT if the page token was made for another query.
    """
    GetProduct: _grpc_aio.UnaryUnaryMultiCallable[_shop_catalog_v1_catalog__service__pb2.GetProductRequest, _shop_catalog_v1_catalog__service__pb2.GetProductResponse]
    """Gets one product. Returns NOT_FOUND with reason PRODUCT_NOT_FOUND if there is none."""
    UpdateProduct: _grpc_aio.UnaryUnaryMultiCallable[_shop_catalog_v1_catalog__service__pb2.UpdateProductRequest, _shop_catalog_v1_catalog__service__pb2.UpdateProductResponse]
    """Changes the fields of one product that update_mask names (AIP-134). Returns NOT_FOUND with reason
    PRODUCT_NOT_FOUND if there is none, ABORTED with reason ETAG_MISMATCH if someone else changed it since the
    etag in the request was read, INVALID_ARGUMENT if the mask names a field that can't be changed.
    """
    ImportProducts: _grpc_aio.StreamUnaryMultiCallable[_shop_catalog_v1_catalog__service__pb2.ImportProductsRequest, _shop_catalog_v1_catalog__service__pb2.ImportProductsResponse]
    """Creates or replaces products, as many as the caller sends, and answers once at the end. Work is kept as it
    goes: after a failure some products are imported, and importing all of them again does no harm. Returns
    INVALID_ARGUMENT at the first product that breaks a rule.
    """

class CatalogServiceServicer(_abc.ABC):
    """Lets shoppers browse the shop's products. Owns product data; how many there are belongs to InventoryService."""
    @_abc.abstractmethod
    async def ListProducts(self, request: _shop_catalog_v1_catalog__service__pb2.ListProductsRequest, context: _protomesh_runtime_context.Context, /) -> _shop_catalog_v1_catalog__service__pb2.ListProductsResponse:
        """Lists all products by product_id, a page at a time. Products added meanwhile neither repeat nor hide others.
        Returns INVALID_ARGUMENT if the page token is not one of this method's.
        """
    @_abc.abstractmethod
    async def SearchProducts(self, request: _shop_catalog_v1_catalog__service__pb2.SearchProductsRequest, context: _protomesh_runtime_context.Context, /) -> _shop_catalog_v1_catalog__service__pb2.SearchProductsResponse:
        """Finds products that have every word of the query in title, description or category, a page at a time.
        Returns INVALID_ARGUMENT if the page token was made for another query.
        """
    @_abc.abstractmethod
    async def GetProduct(self, request: _shop_catalog_v1_catalog__service__pb2.GetProductRequest, context: _protomesh_runtime_context.Context, /) -> _shop_catalog_v1_catalog__service__pb2.GetProductResponse:
        """Gets one product. Returns NOT_FOUND with reason PRODUCT_NOT_FOUND if there is none."""
    @_abc.abstractmethod
    async def UpdateProduct(self, request: _shop_catalog_v1_catalog__service__pb2.UpdateProductRequest, context: _protomesh_runtime_context.Context, /) -> _shop_catalog_v1_catalog__service__pb2.UpdateProductResponse:
        """Changes the fields of one product that update_mask names (AIP-134). Returns NOT_FOUND with reason
        PRODUCT_NOT_FOUND if there is none, ABORTED with reason ETAG_MISMATCH if someone else changed it since the
        etag in the request was read, INVALID_ARGUMENT if the mask names a field that can't be changed.
        """
    @_abc.abstractmethod
    async def ImportProducts(self, request: _collections_abc.AsyncIterator[_shop_catalog_v1_catalog__service__pb2.ImportProductsRequest], context: _protomesh_runtime_context.Context, /) -> _shop_catalog_v1_catalog__service__pb2.ImportProductsResponse:
        """Creates or replaces products, as many as the caller sends, and answers once at the end. Work is kept as it
        goes: after a failure some products are imported, and importing all of them again does no harm. Returns
        INVALID_ARGUMENT at the first product that breaks a rule.
        """

class ProductNotFound(_protomesh_runtime_errors.DeclaredError):
    """There is no such product."""
    def __init__(self, *, product_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_catalog_v1_errors__pb2.ProductNotFound: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...

class EtagMismatch(_protomesh_runtime_errors.DeclaredError):
    """The product has changed since the caller read it. Read it again, then decide."""
    def __init__(self, *, product_id: _builtins.str = ..., current_etag: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_catalog_v1_errors__pb2.EtagMismatch: ...
    @_builtins.property
    def product_id(self) -> _builtins.str: ...
    @_builtins.property
    def current_etag(self) -> _builtins.str:
        """What the product's etag is now."""
