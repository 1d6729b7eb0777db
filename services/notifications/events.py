"""What notifications learns from others."""

from collections.abc import Callable
from datetime import datetime

import structlog

from protomesh.runtime.events import Delivery, on
from protomesh.runtime.store import Transaction
from services.notifications import domain, store
from services.notifications.domain import CancelReason
from shop.orders.v1 import OrderCancelled, OrderConfirmed

__all__ = ["OrderNews"]

_REASONS = {
    OrderCancelled.REASON_CUSTOMER: CancelReason.CUSTOMER,
    OrderCancelled.REASON_PAYMENT_DECLINED: CancelReason.PAYMENT_DECLINED,
    OrderCancelled.REASON_UNAVAILABLE: CancelReason.UNAVAILABLE,
}

_log = structlog.get_logger(__name__)


class OrderNews:
    """Writes to customers about their orders. `new_id` makes the ids of mailboxes."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._now = now
        self._new_id = new_id

    @on(OrderConfirmed)
    async def confirmed(self, event: OrderConfirmed, delivery: Delivery) -> None:
        """Tells a customer what they have bought."""
        lines = [domain.Pieces(line.title, line.quantity) for line in event.lines]
        message = domain.order_confirmed(event.order_id, lines, event.total)
        await self._tell(delivery.tx, event.customer_id, message)

    @on(OrderCancelled)
    async def cancelled(self, event: OrderCancelled, delivery: Delivery) -> None:
        """Tells a customer why they get nothing."""
        message = domain.order_cancelled(event.order_id, _REASONS.get(event.reason, CancelReason.UNKNOWN))
        await self._tell(delivery.tx, event.customer_id, message)

    async def _tell(self, tx: Transaction, subject: str, message: domain.Message) -> None:
        if not subject:
            raise ValueError(f"nobody can be told about order {message.order_id}: the event names no customer")
        # Writers take turns, so numbers are visible in their order, and whoever reads up to one misses none before it.
        mailbox = await store.mailbox_of(tx, subject)
        mailbox = (mailbox or domain.Mailbox(subject=subject, mailbox_id=self._new_id())).next()
        await store.put_mailbox(tx, mailbox)
        notification = domain.Notification(number=mailbox.last_number, message=message, create_time=self._now())
        await store.add_notification(tx, subject, notification)
        _log.info("customer told", order_id=message.order_id, kind=message.kind.value)
