"""Where events wait: next to a service's data, so that they are kept or undone with it.

The tables are the store's, and change by its migrations in `protomesh/runtime/store/migrations`.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from protomesh.runtime.store.tables import OWN_PREFIX, metadata
from protomesh.runtime.store.timestamps import UtcDateTime

__all__ = [
    "DEADLY",
    "DEFERRED",
    "INBOX",
    "INCOMING",
    "INCOMING_CURSORS",
    "INCOMING_DEFERRED",
    "OUTBOX",
    "SUBSCRIBERS",
    "metadata",
]

# SQLite counts by itself in an INTEGER only.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _events(name: str, *more: Column[Any] | Index) -> Table:
    return Table(
        f"{OWN_PREFIX}{name}",
        metadata,
        Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
        Column("event_id", String(36), nullable=False, unique=True),
        Column("event_type", String(255), nullable=False),  # shop.orders.v1.OrderPlaced
        Column("key", String(255), nullable=False),  # the event's own id if it has no key
        Column("content", LargeBinary, nullable=False),
        Column("metadata", Text, nullable=False),  # what travels along, as JSON
        Column("create_time", UtcDateTime, nullable=False),
        *more,
        sqlite_autoincrement=True,  # else an empty table counts from 1 again, behind every cursor
    )


def _cursors(name: str, peer: str) -> Table:
    return Table(
        f"{OWN_PREFIX}{name}",
        metadata,
        Column(peer, String(255), primary_key=True, key="peer"),
        Column("cursor", BigInteger, nullable=False),
    )


def _deferred(name: str, peer: str) -> Table:
    return Table(
        f"{OWN_PREFIX}{name}",
        metadata,
        Column(peer, String(255), primary_key=True, key="peer"),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("key", String(255), nullable=False),
        Column("tries", Integer, nullable=False),
        Column("failures", Integer, nullable=False),  # the tries that count towards a dead letter
        Column("next_time", UtcDateTime, nullable=False),
        Column("dead", Boolean, nullable=False),
        Column("problem", Text, nullable=False),  # of the last try
        Index(f"ix_{OWN_PREFIX}{name}_key", "peer", "key", "sequence"),
    )


# What this service has published and somebody may not have heard of yet.
OUTBOX = _events("outbox")

# How far each subscriber has come: everything up to its cursor is applied or deferred.
SUBSCRIBERS = _cursors("subscribers", "subscriber")

# Events behind a cursor that are not applied: the first of its key is tried again or is a dead letter, the others wait.
DEFERRED = _deferred("deferred", "subscriber")

# The same three for what others have published, between a broker and this service's consumers.
INCOMING = _events(
    "incoming",
    Column("publisher", String(255), nullable=False),
    Index(f"ix_{OWN_PREFIX}incoming_publisher", "publisher", "sequence"),
)
INCOMING_CURSORS = _cursors("incoming_cursors", "publisher")
INCOMING_DEFERRED = _deferred("incoming_deferred", "publisher")

# Events whose handling has ended a worker, how often, and when last.
DEADLY = Table(
    f"{OWN_PREFIX}deadly",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("deaths", Integer, nullable=False),
    Column("last_time", UtcDateTime, nullable=False),
)

# Events of others that were applied here, so that a second delivery changes nothing.
INBOX = Table(
    f"{OWN_PREFIX}inbox",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("apply_time", UtcDateTime, nullable=False, index=True),  # indexed for forgetting
)
