"""CatalogService: the catalog as its contract has it."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import structlog
from google.type.money_pb2 import Money as MoneyMessage

from protomesh.runtime import Context, StatusError
from protomesh.runtime.store import Database, Page, etag, masked
from protomesh.runtime.timestamps import timestamp
from services.catalog import domain, store
from shop.catalog.v1 import (
    CatalogServiceServicer,
    EtagMismatch,
    GetProductRequest,
    GetProductResponse,
    ImportProductsRequest,
    ImportProductsResponse,
    ListProductsRequest,
    ListProductsResponse,
    Product,
    ProductNotFound,
    SearchProductsRequest,
    SearchProductsResponse,
    UpdateProductRequest,
    UpdateProductResponse,
)

__all__ = ["Catalog"]

# Products that are imported in one transaction: each waits for its turn once, and keeps nobody else waiting long.
_BATCH = 100

_log = structlog.get_logger(__name__)


class Catalog(CatalogServiceServicer):
    """Serves the products of one database."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def ListProducts(self, request: ListProductsRequest, context: Context, /) -> ListProductsResponse:
        products, token = await self._page(Page.of(request))
        return ListProductsResponse(products=products, next_page_token=token)

    async def SearchProducts(self, request: SearchProductsRequest, context: Context, /) -> SearchProductsResponse:
        products, token = await self._page(Page.of(request), domain.words(request.query))
        return SearchProductsResponse(products=products, next_page_token=token)

    async def GetProduct(self, request: GetProductRequest, context: Context, /) -> GetProductResponse:
        async with self._db.read() as tx:
            found = await store.product_of(tx, request.product_id)
        if found is None:
            raise ProductNotFound(product_id=request.product_id)
        return GetProductResponse(product=_message(found))

    async def UpdateProduct(self, request: UpdateProductRequest, context: Context, /) -> UpdateProductResponse:
        product_id = request.product.product_id
        async with self._db.begin() as tx:
            found = await store.product_of(tx, product_id)
            if found is None:
                raise ProductNotFound(product_id=product_id)
            current = _message(found)
            if request.product.etag and request.product.etag != current.etag:
                raise EtagMismatch(product_id=product_id, current_etag=current.etag)
            changed = masked(current, request.product, request.update_mask, fixed=("product_id", "update_time", "etag"))
            kept = _product(changed, self._now())
            await store.put(tx, kept)
        _log.info("product updated", product_id=product_id)
        return UpdateProductResponse(product=_message(kept))

    async def ImportProducts(
        self, requests: AsyncIterator[ImportProductsRequest], context: Context, /
    ) -> ImportProductsResponse:
        summary = ImportProductsResponse()
        batch: list[domain.Product] = []
        async for request in requests:
            batch.append(_product(request.product, self._now()))
            if len(batch) == _BATCH:
                await self._import(batch, summary)
                batch.clear()
        await self._import(batch, summary)
        _log.info("products imported", created=summary.created, replaced=summary.replaced)
        return summary

    async def _page(self, page: Page, words: tuple[str, ...] = ()) -> tuple[list[Product], str]:
        after = page.after[0] if page.after is not None else None
        async with self._db.read() as tx:
            found = await store.products_after(tx, after, words=words, limit=page.limit)
        shown, token = page.cut(found, key=lambda product: (product.product_id,))
        return [_message(product) for product in shown], token

    async def _import(self, batch: list[domain.Product], summary: ImportProductsResponse) -> None:
        async with self._db.begin() as tx:
            created = sum([await store.put(tx, product) for product in batch])
        summary.created += created
        summary.replaced += len(batch) - created


def _message(product: domain.Product) -> Product:
    message = Product(
        product_id=product.product_id,
        title=product.title,
        description=product.description,
        category=product.category,
        price=MoneyMessage(
            currency_code=product.price.currency_code, units=product.price.units, nanos=product.price.nanos
        ),
        sellable=product.sellable,
        update_time=timestamp(product.update_time),
    )
    message.etag = etag(message)
    return message


def _product(message: Product, update_time: datetime) -> domain.Product:
    if not message.HasField("price"):
        raise StatusError.invalid("product.price", "must be set")
    try:
        return domain.Product(
            product_id=message.product_id,
            title=message.title,
            description=message.description,
            category=message.category,
            price=domain.Money(
                currency_code=message.price.currency_code, units=message.price.units, nanos=message.price.nanos
            ),
            sellable=message.sellable,
            update_time=update_time,
        )
    except domain.InvalidProduct as invalid:
        raise StatusError.invalid(f"product.{invalid.field}", invalid.reason) from None
