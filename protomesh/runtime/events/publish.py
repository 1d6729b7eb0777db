"""Publishing: an event is written down with what it tells of, and delivered afterwards."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import insert

from protomesh.runtime.current import FORWARDED, current
from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.store import Transaction
from protomesh.runtime.user import CLAIMS, TOKEN
from protomesh.v1 import options_pb2

__all__ = ["MAX_EVENT_BYTES", "PUBLISHABLE", "NotPublishable", "publish"]

MAX_EVENT_BYTES = 1024 * 1024
"""The largest event. One says what has happened and names it; who needs more asks."""

_MAX_KEY_LENGTH = 255

# All that a token says may be much, and personal, and an event may wait for long: who the user is and may do is enough.
# The token is a key, and no database is a place for it.
_CARRIED = FORWARDED - {CLAIMS, TOKEN}


PUBLISHABLE = "protomesh.events"
"""In a transaction's `info`: full names of the events that the service may publish. Without it, any."""


class NotPublishable(ValueError):  # noqa: N818 - it names the message's state
    """A message that is no event or another service's, is too large for one, or has a key that is too long."""


async def publish(tx: Transaction, event: Message) -> str:
    """Writes `event` into the outbox, and returns the id that it travels under.

    It is told to subscribers once the transaction is kept, and never if it is undone. Trace, request id and user of
    the call in progress travel along. Events of one key arrive in the order in which they were published.

    Raises:
        NotPublishable: The contract gives the message no option `(protomesh.v1.event)`, or it is too large; or its
            package belongs to another service, so that nobody would be told.
    """
    name = event.DESCRIPTOR.full_name
    options = event.DESCRIPTOR.GetOptions()
    if not options.HasExtension(options_pb2.event):
        raise NotPublishable(
            f"{name} is no event: give the message the option (protomesh.v1.event) in its contract, and `make proto`"
        )
    publishable = tx.info.get(PUBLISHABLE)
    if publishable is not None and name not in publishable:
        raise NotPublishable(
            f"{name} is not this service's to publish: mesh.yaml has another one serve its package. "
            "Declare the event in a package that this service serves, or in one that none does"
        )
    content = event.SerializeToString()
    if len(content) > MAX_EVENT_BYTES:
        raise NotPublishable(f"{name} has {len(content)} bytes, and an event at most {MAX_EVENT_BYTES}")
    event_id = str(uuid.uuid4())
    key = _key(event, options.Extensions[options_pb2.event].key)
    if len(key) > _MAX_KEY_LENGTH:
        raise NotPublishable(f"the key of {name} has {len(key)} characters, and {_MAX_KEY_LENGTH} are the most")
    await tx.execute(
        insert(OUTBOX).values(
            event_id=event_id,
            event_type=name,
            key=key or event_id,
            content=content,
            metadata=json.dumps(_carried()),
            create_time=datetime.now(UTC),
        )
    )
    return event_id


def _key(event: Message, field: str) -> str:
    if not field:
        return ""
    value: Any = getattr(event, field)
    return value.hex() if isinstance(value, bytes) else str(value)


def _carried() -> dict[str, str]:
    scope = current.get()
    forwarded = () if scope is None else scope.forwarded
    return {key: value for key, value in forwarded if key in _CARRIED and isinstance(value, str)}
