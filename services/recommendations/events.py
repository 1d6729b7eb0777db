"""What recommendations learns from others."""

from collections.abc import Callable
from datetime import UTC, datetime

from protomesh.runtime.events import Delivery, on
from services.recommendations import store
from shop.orders.v1 import OrderConfirmed

__all__ = ["OrderNews"]


class OrderNews:
    """Counts orders. An order counts once, however many pieces of a product it has."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    @on(OrderConfirmed)
    async def learn(self, event: OrderConfirmed, delivery: Delivery) -> None:
        """Counts an order as of when it was confirmed, however late it is told."""
        confirmed = event.confirm_time.ToDatetime(UTC) if event.HasField("confirm_time") else delivery.create_time
        decay = await store.decay_of(delivery.tx)
        assert decay is not None  # kept before the worker answers anybody
        # An order of the future, by a clock that is wrong, would outweigh all that come before its time.
        rank = decay.rank(min(confirmed, self._now()))
        await store.count(delivery.tx, {line.product_id for line in event.lines}, rank)
