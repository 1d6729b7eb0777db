"""A repeat gets the first answer: https://google.aip.dev/155.

What a request did and what it was answered are kept in one transaction, so there is no moment in which a crash
could leave one without the other.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from sqlalchemy import delete, insert, select

from protomesh.runtime.jobs import Job, every
from protomesh.runtime.store.database import Database, Transaction
from protomesh.runtime.store.errors import RequestIdReused
from protomesh.runtime.store.tables import REQUESTS

__all__ = ["IdentifiedRequest", "forget", "forgetting_answers", "remember", "replayed"]

_REMEMBERED = timedelta(days=7)

ResponseT = TypeVar("ResponseT", bound=Message)


class IdentifiedRequest(Protocol):
    """A request message with a `request_id`."""

    DESCRIPTOR: Descriptor

    @property
    def request_id(self) -> str:
        """What the caller says is one request, however often it is sent."""
        ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802 - protobuf's name
        """The request's bytes."""
        ...


async def replayed(tx: Transaction, request: IdentifiedRequest, response: type[ResponseT]) -> ResponseT | None:
    """The answer that `request` got before; None if it is new.

    Ask first in the transaction that does the work. The key is the request's type and its `request_id`: a request
    message belongs to one method.

    Raises:
        RequestIdReused: The same `request_id` came with another request before (ALREADY_EXISTS).
    """
    found = (
        await tx.execute(
            select(REQUESTS.c.fingerprint, REQUESTS.c.response).where(
                REQUESTS.c.request_type == request.DESCRIPTOR.full_name, REQUESTS.c.request_id == request.request_id
            )
        )
    ).one_or_none()
    if found is None:
        return None
    if found.fingerprint != _fingerprint(request):
        raise RequestIdReused(request.request_id)
    return response.FromString(found.response)


async def remember(tx: Transaction, request: IdentifiedRequest, response: ResponseT) -> ResponseT:
    """Keeps `response` as the answer to `request`, and returns it. Failures are not kept: they are tried again."""
    await tx.execute(
        insert(REQUESTS).values(
            request_type=request.DESCRIPTOR.full_name,
            request_id=request.request_id,
            fingerprint=_fingerprint(request),
            response=response.SerializeToString(),
        )
    )
    return response


async def forget(database: Database, *, before: datetime) -> int:
    """Drops the answers given before a moment, and returns how many. A repeat later than that is a new request."""
    async with database.begin() as tx:
        dropped = await tx.execute(
            delete(REQUESTS).where(REQUESTS.c.create_time < before).returning(REQUESTS.c.request_id)
        )
        return len(dropped.all())


def forgetting_answers(database: Database, now: Callable[[], datetime]) -> Job:
    """The job that drops answers after a week: nobody repeats a request as late as that."""

    async def forget_answers() -> None:
        await forget(database, before=now() - _REMEMBERED)

    return every(timedelta(hours=1), forget_answers, one_worker=True, name="forget_answers")


def _fingerprint(request: IdentifiedRequest) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
