"""The marks of events that need no handling any more: they are applied, or given up."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from protomesh.runtime.events.tables import INBOX
from protomesh.runtime.store import Transaction, UtcDateTime

__all__ = ["mark"]

# One statement, which SQLite and PostgreSQL read alike: another worker may be applying the same event.
_MARK = text(
    f"INSERT INTO {INBOX.name} (event_id, apply_time) VALUES (:event_id, :apply_time) ON CONFLICT DO NOTHING"  # noqa: S608 - the name is ours
).bindparams(bindparam("apply_time", type_=UtcDateTime))


async def mark(tx: Transaction, event_id: str, now: datetime) -> bool:
    """Marks an event. Returns whether it was not marked before."""
    marked: Any = await tx.execute(_MARK, {"event_id": event_id, "apply_time": now})
    return bool(marked.rowcount)
