"""What was ordered, and with what, in the database."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import permutations

from sqlalchemy import ColumnElement, Double, Index, String, and_, delete, or_, select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.recommendations.domain import Basis, Decay, Ranked, joined

__all__ = ["Base", "best_sellers", "bought_together", "count", "decay_of", "drop_below", "put_decay"]

_THE_ONLY = 1


class Base(DeclarativeBase):
    """The tables of the recommendations."""


class DecayRow(Base):
    """What the ranks mean: one row."""

    __tablename__ = "decay"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    half_life_seconds: Mapped[float] = mapped_column(Double)
    anchor_time: Mapped[datetime] = mapped_column(UtcDateTime)
    anchor_rank: Mapped[float] = mapped_column(Double)


class SoldRow(Base):
    """The orders that one product was in."""

    __tablename__ = "sold"
    __table_args__ = (Index("ix_sold_rank", "rank"),)

    product_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rank: Mapped[float] = mapped_column(Double)


class TogetherRow(Base):
    """The orders that two products were in. Each two are there twice, so that either is found by the other."""

    __tablename__ = "together"
    __table_args__ = (Index("ix_together_rank", "product_id", "rank"),)

    product_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    other_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rank: Mapped[float] = mapped_column(Double)


async def decay_of(tx: Transaction) -> Decay | None:
    """What the ranks mean; None before the service has started for the first time."""
    row = await tx.get(DecayRow, _THE_ONLY)
    if row is None:
        return None
    return Decay(
        half_life=timedelta(seconds=row.half_life_seconds), anchor_time=row.anchor_time, anchor_rank=row.anchor_rank
    )


async def put_decay(tx: Transaction, decay: Decay) -> None:
    """Keeps what the ranks mean from now on."""
    await tx.merge(
        DecayRow(
            id=_THE_ONLY,
            half_life_seconds=decay.half_life.total_seconds(),
            anchor_time=decay.anchor_time,
            anchor_rank=decay.anchor_rank,
        )
    )


async def count(tx: Transaction, product_ids: Collection[str], rank: float) -> None:
    """Counts one order of these products. Writers take turns, so nobody else counts at the same time."""
    ordered = sorted(set(product_ids))
    sold = {row.product_id: row for row in await tx.scalars(select(SoldRow).where(SoldRow.product_id.in_(ordered)))}
    for product_id in ordered:
        if product_id in sold:
            sold[product_id].rank = joined(sold[product_id].rank, rank)
        else:
            tx.add(SoldRow(product_id=product_id, rank=rank))
    query = select(TogetherRow).where(TogetherRow.product_id.in_(ordered), TogetherRow.other_id.in_(ordered))
    together = {(row.product_id, row.other_id): row for row in await tx.scalars(query)}
    for pair in permutations(ordered, 2):
        if pair in together:
            together[pair].rank = joined(together[pair].rank, rank)
        else:
            tx.add(TogetherRow(product_id=pair[0], other_id=pair[1], rank=rank))
    await tx.flush()


async def bought_together(tx: Transaction, product_id: str, after: Ranked | None, *, limit: int) -> list[Ranked]:
    """What was ordered together with a product, best first, after one of these if it is given."""
    query = select(TogetherRow).where(TogetherRow.product_id == product_id)
    if after is not None:
        query = query.where(_after(TogetherRow.rank, TogetherRow.other_id, after))
    rows = await tx.scalars(query.order_by(TogetherRow.rank.desc(), TogetherRow.other_id).limit(limit))
    return [Ranked(product_id=row.other_id, basis=Basis.BOUGHT_TOGETHER, rank=row.rank) for row in rows]


async def best_sellers(tx: Transaction, product_id: str, after: Ranked | None, *, limit: int) -> list[Ranked]:
    """What sells and is neither a product nor was ordered together with it, best first, after one of these."""
    others = select(TogetherRow.other_id).where(TogetherRow.product_id == product_id)
    query = select(SoldRow).where(SoldRow.product_id != product_id, SoldRow.product_id.not_in(others))
    if after is not None:
        query = query.where(_after(SoldRow.rank, SoldRow.product_id, after))
    rows = await tx.scalars(query.order_by(SoldRow.rank.desc(), SoldRow.product_id).limit(limit))
    return [Ranked(product_id=row.product_id, basis=Basis.BEST_SELLER, rank=row.rank) for row in rows]


async def drop_below(tx: Transaction, rank: float) -> None:
    """Forgets what has less than a rank."""
    await tx.execute(delete(SoldRow).where(SoldRow.rank < rank))
    await tx.execute(delete(TogetherRow).where(TogetherRow.rank < rank))


def _after(
    rank: InstrumentedAttribute[float], product_id: InstrumentedAttribute[str], last: Ranked
) -> ColumnElement[bool]:
    return or_(rank < last.rank, and_(rank == last.rank, product_id > last.product_id))
