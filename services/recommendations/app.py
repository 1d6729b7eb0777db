"""What a worker of the recommendations is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, InvalidSettings, Mesh, every
from services.recommendations.events import OrderNews
from services.recommendations.half_life import keep_half_life
from services.recommendations.service import Recommendations


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationsSettings:
    """What an operator may set.

    Raises:
        InvalidSettings: A half-life so short that nothing counts.
    """

    order_half_life: timedelta = timedelta(days=30)  # ORDER_HALF_LIFE: after that an order counts half

    def __post_init__(self) -> None:
        if self.order_half_life < timedelta(minutes=1):
            raise InvalidSettings("ORDER_HALF_LIFE has to be a minute or more")


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the recommendations on their own database, with the orders to learn from."""
    settings = mesh.settings(RecommendationsSettings)

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.recommendations") as db:
        await keep_half_life(db, settings.order_half_life, now)
        recommendations = Recommendations(db, now)
        yield App(
            recommendations,
            consumers=[OrderNews(now)],
            jobs=[every(timedelta(hours=1), recommendations.forget, one_worker=True, name="forget_counts")],
        )
