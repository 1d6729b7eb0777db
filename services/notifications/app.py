"""What a worker of the notifications is made of."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protomesh.runtime import App, InvalidSettings, Mesh, every
from services.notifications.events import OrderNews
from services.notifications.service import Notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsSettings:
    """What an operator may set.

    Raises:
        InvalidSettings: A lifetime in which nobody could read anything.
    """

    notification_lifetime: timedelta = timedelta(days=90)  # NOTIFICATION_LIFETIME: after that a message is forgotten

    def __post_init__(self) -> None:
        if self.notification_lifetime < timedelta(minutes=1):
            raise InvalidSettings("NOTIFICATION_LIFETIME has to be a minute or more")


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the notifications on their own database, with the orders to learn from."""
    settings = mesh.settings(NotificationsSettings)

    def now() -> datetime:
        return datetime.now(UTC)

    def new_id() -> str:
        return str(uuid.uuid4())

    async with mesh.database(migrations="services.notifications") as db:
        notifications = Notifications(db, now)

        async def forget_notifications() -> None:
            await notifications.forget(older_than=settings.notification_lifetime)

        yield App(
            notifications,
            consumers=[OrderNews(now, new_id)],
            jobs=[every(timedelta(hours=1), forget_notifications, one_worker=True, name="forget_notifications")],
        )
