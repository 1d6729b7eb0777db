"""What a broker has brought is written down, before it is acknowledged."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from sqlalchemy import func, insert, select, union

from protomesh.events.v1.event_consumer_service_pb2 import Event
from protomesh.runtime.events.tables import INBOX, INCOMING, INCOMING_CURSORS
from protomesh.runtime.store import Database, changes

__all__ = ["keep", "wait_room"]

# How many events of a publisher may wait here to be handled. Further ones wait at the broker.
_ROOM = 2000

_log = structlog.get_logger("protomesh.runtime")


async def keep(database: Database, publisher: str, payloads: Sequence[bytes], wanted: Collection[str]) -> None:
    """Writes down a publisher's events in their order, but for those that nobody wants or that are here already."""
    rows = {row["event_id"]: row for payload in payloads if (row := _row(payload, publisher)) is not None}
    rows = {event_id: row for event_id, row in rows.items() if row["event_type"] in wanted}
    if not rows:
        return
    here = union(
        select(INCOMING.c.event_id).where(INCOMING.c.event_id.in_(rows)),
        select(INBOX.c.event_id).where(INBOX.c.event_id.in_(rows)),
    )
    async with database.begin() as tx:
        known = set(await tx.scalars(here))
        if new := [row for event_id, row in rows.items() if event_id not in known]:
            await tx.execute(insert(INCOMING), new)


async def wait_room(database: Database, publisher: str, *, room: int = _ROOM) -> None:
    """Returns when fewer events of a publisher than `room` wait to be handled. What is deferred is not among them."""
    cursor = select(INCOMING_CURSORS.c.cursor).where(INCOMING_CURSORS.c.peer == publisher).scalar_subquery()
    waiting = (INCOMING.c.publisher == publisher, INCOMING.c.sequence > func.coalesce(cursor, 0))
    last = select(INCOMING.c.sequence).where(*waiting).order_by(INCOMING.c.sequence).offset(room - 1).limit(1)
    async for _ in changes(database):
        async with database.read() as tx:
            if await tx.scalar(last) is None:
                return


def _row(payload: bytes, publisher: str) -> dict[str, Any] | None:
    event = Event()
    try:
        event.ParseFromString(payload)
    except DecodeError:
        event.Clear()
    if not event.event_id:
        _log.error("what a broker has in an event's place is none; it is dropped", publisher=publisher)
        return None
    return {
        "event_id": event.event_id,
        "event_type": event.content.type_url.rpartition("/")[2],
        "key": event.key or event.event_id,
        "content": event.content.value,
        "metadata": json.dumps(dict(event.metadata)),
        "create_time": event.create_time.ToDatetime(UTC),
        "publisher": publisher,
    }
