"""What was ordered, and with what, in the database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import permutations

from sqlalchemy import ColumnElement, Double, Index, String, and_, delete, insert, or_, select, update
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
    sold = select(SoldRow.product_id, SoldRow.rank).where(SoldRow.product_id.in_(ordered))
    known = {row.product_id: row.rank for row in await tx.execute(sold)}
    await _keep(
        tx,
        SoldRow,
        new=[{"product_id": each, "rank": rank} for each in ordered if each not in known],
        changed=[{"product_id": each, "rank": joined(known[each], rank)} for each in ordered if each in known],
    )
    together = select(TogetherRow.product_id, TogetherRow.other_id, TogetherRow.rank).where(
        TogetherRow.product_id.in_(ordered), TogetherRow.other_id.in_(ordered)
    )
    pairs = {(row.product_id, row.other_id): row.rank for row in await tx.execute(together)}
    both = list(permutations(ordered, 2))
    await _keep(
        tx,
        TogetherRow,
        new=[{"product_id": one, "other_id": other, "rank": rank} for one, other in both if (one, other) not in pairs],
        changed=[
            {"product_id": one, "other_id": other, "rank": joined(pairs[one, other], rank)}
            for one, other in both
            if (one, other) in pairs
        ],
    )


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


async def _keep(
    tx: Transaction, table: type[Base], *, new: Sequence[Mapping[str, object]], changed: Sequence[Mapping[str, object]]
) -> None:
    # Many rows a statement: an order of twenty products has four hundred.
    if new:
        await tx.execute(insert(table), new)
    if changed:
        await tx.execute(update(table), changed)


def _after(
    rank: InstrumentedAttribute[float], product_id: InstrumentedAttribute[str], last: Ranked
) -> ColumnElement[bool]:
    return or_(rank < last.rank, and_(rank == last.rank, product_id > last.product_id))
