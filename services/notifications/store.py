"""Mailboxes and what is in them, in the database."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text, delete, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import Transaction, UtcDateTime
from services.notifications.domain import Kind, Mailbox, Message, Notification

__all__ = [
    "Base",
    "add_notification",
    "drop_notifications",
    "last_numbers",
    "mailbox_of",
    "notification_of",
    "notifications_after",
    "notifications_before",
    "put_mailbox",
    "put_read_time",
]


class Base(DeclarativeBase):
    """The tables of the notifications."""


class MailboxRow(Base):
    """The mailbox of one user; there from the first message on, and for good."""

    __tablename__ = "mailboxes"

    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    mailbox_id: Mapped[str] = mapped_column(String(64), unique=True)
    last_number: Mapped[int] = mapped_column(BigInteger)


class NotificationRow(Base):
    """One message in a mailbox."""

    __tablename__ = "notifications"

    subject: Mapped[str] = mapped_column(ForeignKey("mailboxes.subject"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(32))
    order_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)  # for whoever forgets
    read_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


async def mailbox_of(tx: Transaction, subject: str) -> Mailbox | None:
    """The mailbox of a user; None if nothing ever came. In a transaction that writes, nobody else adds to it."""
    row = await tx.get(MailboxRow, subject)
    if row is None:
        return None
    return Mailbox(subject=row.subject, mailbox_id=row.mailbox_id, last_number=row.last_number)


async def last_numbers(tx: Transaction, subjects: Collection[str]) -> dict[str, int]:
    """The number of the last message that came, of each of these users who has a mailbox."""
    rows = await tx.execute(select(MailboxRow.subject, MailboxRow.last_number).where(MailboxRow.subject.in_(subjects)))
    return {row.subject: row.last_number for row in rows}


async def put_mailbox(tx: Transaction, mailbox: Mailbox) -> None:
    """Keeps a mailbox in the place of what was there."""
    await tx.merge(MailboxRow(subject=mailbox.subject, mailbox_id=mailbox.mailbox_id, last_number=mailbox.last_number))
    await tx.flush()


async def add_notification(tx: Transaction, subject: str, notification: Notification) -> None:
    """Keeps a new message of a user who has a mailbox."""
    tx.add(
        NotificationRow(
            subject=subject,
            number=notification.number,
            kind=notification.message.kind.value,
            order_id=notification.message.order_id,
            title=notification.message.title,
            text=notification.message.text,
            create_time=notification.create_time,
            read_time=notification.read_time,
        )
    )
    await tx.flush()


async def put_read_time(tx: Transaction, subject: str, notification: Notification) -> None:
    """Keeps since when a message of a user is read."""
    await tx.execute(
        update(NotificationRow)
        .where(NotificationRow.subject == subject, NotificationRow.number == notification.number)
        .values(read_time=notification.read_time)
    )


async def notification_of(tx: Transaction, subject: str, number: int) -> Notification | None:
    """One message of a user."""
    row = await tx.get(NotificationRow, (subject, number))
    return None if row is None else _notification(row)


async def notifications_before(
    tx: Transaction, subject: str, number: int | None, *, unread_only: bool, limit: int
) -> list[Notification]:
    """The newest messages of a user that are older than one, the newest of all if it is None."""
    query = select(NotificationRow).where(NotificationRow.subject == subject)
    if number is not None:
        query = query.where(NotificationRow.number < number)
    if unread_only:
        query = query.where(NotificationRow.read_time.is_(None))
    rows = await tx.scalars(query.order_by(NotificationRow.number.desc()).limit(limit))
    return [_notification(row) for row in rows]


async def notifications_after(tx: Transaction, subject: str, number: int, *, limit: int) -> list[Notification]:
    """The oldest messages of a user that are newer than one."""
    query = select(NotificationRow).where(NotificationRow.subject == subject, NotificationRow.number > number)
    rows = await tx.scalars(query.order_by(NotificationRow.number).limit(limit))
    return [_notification(row) for row in rows]


async def drop_notifications(tx: Transaction, *, before: datetime) -> None:
    """Forgets messages that came before a moment, read or not."""
    await tx.execute(delete(NotificationRow).where(NotificationRow.create_time < before))


def _notification(row: NotificationRow) -> Notification:
    return Notification(
        number=row.number,
        message=Message(kind=Kind(row.kind), order_id=row.order_id, title=row.title, text=row.text),
        create_time=row.create_time,
        read_time=row.read_time,
    )
