"""RecommendationsService: what goes with what, as its contract has it."""

from collections.abc import Callable
from datetime import datetime

from protomesh.runtime import Context, StatusError
from protomesh.runtime.store import Database, Page
from services.recommendations import store
from services.recommendations.domain import Basis, Ranked
from shop.recommendations.v1 import (
    ListRecommendationsRequest,
    ListRecommendationsResponse,
    Recommendation,
    RecommendationsServiceServicer,
)

__all__ = ["Recommendations"]

_BASES = {
    Basis.BOUGHT_TOGETHER: Recommendation.BASIS_BOUGHT_TOGETHER,
    Basis.BEST_SELLER: Recommendation.BASIS_BEST_SELLER,
}


class Recommendations(RecommendationsServiceServicer):
    """Serves what one database has counted."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def ListRecommendations(
        self, request: ListRecommendationsRequest, context: Context, /
    ) -> ListRecommendationsResponse:
        page = Page.of(request, keys=3)
        after = None if page.after is None else _last(page.after)
        found: list[Ranked] = []
        async with self._db.read() as tx:
            decay = await store.decay_of(tx)
            if after is None or after.basis is Basis.BOUGHT_TOGETHER:
                found += await store.bought_together(tx, request.product_id, after, limit=page.limit)
                after = None
            if len(found) < page.limit:
                found += await store.best_sellers(tx, request.product_id, after, limit=page.limit - len(found))
        assert decay is not None  # kept before the worker answers anybody
        shown, token = page.cut(found, key=lambda ranked: (ranked.basis.value, repr(ranked.rank), ranked.product_id))
        now = self._now()
        return ListRecommendationsResponse(
            recommendations=[
                Recommendation(
                    product_id=ranked.product_id, basis=_BASES[ranked.basis], score=decay.score(ranked.rank, now)
                )
                for ranked in shown
            ],
            next_page_token=token,
        )

    async def forget(self) -> None:
        """Drops what is worth nothing any more."""
        async with self._db.begin() as tx:
            decay = await store.decay_of(tx)
            assert decay is not None  # as above
            await store.drop_below(tx, decay.least(self._now()))


def _last(key: tuple[str, ...]) -> Ranked:
    basis, rank, product_id = key
    try:
        return Ranked(product_id=product_id, basis=Basis(basis), rank=float(rank))
    except ValueError:
        raise StatusError.invalid("page_token", "is not a next_page_token of this method") from None
