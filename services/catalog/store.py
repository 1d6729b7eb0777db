"""Products in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, String, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.catalog.domain import Money, Product

__all__ = ["Base", "product_of", "products_after", "put"]


class Base(DeclarativeBase):
    """The tables of the catalog."""


class ProductRow(Base):
    """One product."""

    __tablename__ = "products"

    product_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(4000))
    category: Mapped[str] = mapped_column(String(64))
    currency_code: Mapped[str] = mapped_column(String(3))
    units: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int]
    sellable: Mapped[bool]
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)
    searchable: Mapped[str] = mapped_column(Text)  # the domain's, so that every database finds the same


async def product_of(tx: Transaction, product_id: str) -> Product | None:
    """The product with this id. In a transaction that writes, nobody else changes it until the end."""
    row = await tx.scalar(select(ProductRow).where(ProductRow.product_id == product_id))
    return None if row is None else _product(row)


async def products_after(
    tx: Transaction, product_id: str | None, *, words: Sequence[str] = (), limit: int
) -> list[Product]:
    """The first products after an id, from the first one if it is None, that have each of `words` in their text."""
    query = select(ProductRow).order_by(ProductRow.product_id).limit(limit)
    if product_id is not None:
        query = query.where(ProductRow.product_id > product_id)
    for word in words:
        query = query.where(ProductRow.searchable.contains(word, autoescape=True))
    return [_product(row) for row in await tx.scalars(query)]


async def put(tx: Transaction, product: Product) -> bool:
    """Keeps a product in the place of what was there, and returns whether nothing was."""
    created = await tx.get(ProductRow, product.product_id) is None
    await tx.merge(
        ProductRow(
            product_id=product.product_id,
            title=product.title,
            description=product.description,
            category=product.category,
            currency_code=product.price.currency_code,
            units=product.price.units,
            nanos=product.price.nanos,
            sellable=product.sellable,
            update_time=product.update_time,
            searchable=product.searchable,
        )
    )
    return created


def _product(row: ProductRow) -> Product:
    return Product(
        product_id=row.product_id,
        title=row.title,
        description=row.description,
        category=row.category,
        price=Money(currency_code=row.currency_code, units=row.units, nanos=row.nanos),
        sellable=row.sellable,
        update_time=row.update_time,
    )
