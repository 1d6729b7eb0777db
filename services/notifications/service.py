"""NotificationsService: mailboxes as their contract has them."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from protomesh.runtime import Context
from protomesh.runtime.store import Database, Page, Watch, resume_token
from protomesh.runtime.timestamps import timestamp
from services.notifications import domain, store
from services.notifications.domain import Kind
from services.notifications.resume import read_resume_token
from shop.notifications.v1 import (
    ListNotificationsRequest,
    ListNotificationsResponse,
    MarkReadRequest,
    MarkReadResponse,
    Notification,
    NotificationNotFound,
    NotificationsServiceServicer,
    SubscribeRequest,
    SubscribeResponse,
)

__all__ = ["Notifications"]

_AT_ONCE = 100  # messages that a stream reads before it sends them

_KINDS = {
    Kind.ORDER_CONFIRMED: Notification.KIND_ORDER_CONFIRMED,
    Kind.ORDER_CANCELLED: Notification.KIND_ORDER_CANCELLED,
}


class Notifications(NotificationsServiceServicer):
    """Serves the mailboxes of one database, to each caller their own."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now
        self._last_numbers = Watch(db, store.last_numbers)

    async def ListNotifications(
        self, request: ListNotificationsRequest, context: Context, /
    ) -> ListNotificationsResponse:
        subject = context.require_user().subject
        page = Page.of(request)
        before = int(page.after[0]) if page.after is not None else None
        async with self._db.read() as tx:
            mailbox = await store.mailbox_of(tx, subject)
            found = await store.notifications_before(
                tx, subject, before, unread_only=request.unread_only, limit=page.limit
            )
        shown, token = page.cut(found, key=lambda notification: (str(notification.number),))
        return ListNotificationsResponse(
            notifications=[_message(notification) for notification in shown],
            next_page_token=token,
            resume_token=resume_token(mailbox.mailbox_id, mailbox.last_number)
            if mailbox is not None and before is None
            else "",
        )

    async def MarkRead(self, request: MarkReadRequest, context: Context, /) -> MarkReadResponse:
        subject = context.require_user().subject
        async with self._db.begin() as tx:
            found = await store.notification_of(tx, subject, int(request.notification_id))
            if found is None:
                raise NotificationNotFound(notification_id=request.notification_id)
            notification = found.read(self._now())
            await store.put_read_time(tx, subject, notification)
        return MarkReadResponse(notification=_message(notification))

    async def Subscribe(self, request: SubscribeRequest, context: Context, /) -> AsyncIterator[SubscribeResponse]:
        subject = context.require_user().subject
        told = await self._place(subject, request.resume_token) if request.resume_token else 0
        async with self._last_numbers.of(subject) as numbers:
            async for number in numbers:
                more = number is not None and number > told
                while more:
                    async with self._db.read() as tx:
                        mailbox = await store.mailbox_of(tx, subject)
                        assert mailbox is not None  # it is there for good
                        found = await store.notifications_after(tx, subject, told, limit=_AT_ONCE)
                    for notification in found:
                        told = notification.number
                        yield SubscribeResponse(
                            notification=_message(notification), resume_token=resume_token(mailbox.mailbox_id, told)
                        )
                    more = len(found) == _AT_ONCE

    async def forget(self, *, older_than: timedelta) -> None:
        """Drops the messages that came longer ago."""
        async with self._db.begin() as tx:
            await store.drop_notifications(tx, before=self._now() - older_than)

    async def _place(self, subject: str, token: str) -> int:
        async with self._db.read() as tx:
            mailbox = await store.mailbox_of(tx, subject)
        return read_resume_token(token, mailbox)


def _message(notification: domain.Notification) -> Notification:
    message = Notification(
        notification_id=str(notification.number),
        kind=_KINDS[notification.message.kind],
        order_id=notification.message.order_id,
        title=notification.message.title,
        text=notification.message.text,
        create_time=timestamp(notification.create_time),
    )
    if notification.read_time is not None:
        message.read_time.CopyFrom(timestamp(notification.read_time))
    return message
