"""The consuming side: each event is applied once, with the mark that says so in the same transaction."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import structlog
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.current import current, time_remaining
from protomesh.runtime.events.consumers import Consumer, Consumers
from protomesh.runtime.events.deadly import DeadlyEvents
from protomesh.runtime.events.delivery import Delivered, Delivery
from protomesh.runtime.events.handling import Handling
from protomesh.runtime.events.lateness import Lateness
from protomesh.runtime.events.marks import mark
from protomesh.runtime.events.tables import INBOX
from protomesh.runtime.method import Method
from protomesh.runtime.status import failure_of
from protomesh.runtime.store import Contended, Database, Transaction
from protomesh.runtime.store.errors import Unconfirmed, Unreachable

__all__ = ["Inbox"]

_APPLIED = Result(outcome=Result.OUTCOME_APPLIED)
_HELD_BACK = Result(outcome=Result.OUTCOME_HELD_BACK)

# Events that share a transaction, and how long they may keep others from writing. A commit costs more than an event.
_GROUP = 64
_GROUP_SECONDS = 0.1

# Without a deadline, how long to begin with further events of a batch.
_BATCH_SECONDS = 15.0

_log = structlog.get_logger("protomesh.runtime")


class Inbox:
    """Applies batches of events to a service's consumers.

    Args:
        database: The service's own.
        consumers: Who learns of what.
        patience: How long one event may take.
        handling: Where it is written which event is being handled.
        now: The clock.
    """

    def __init__(
        self,
        database: Database,
        consumers: Consumers,
        *,
        patience: timedelta = timedelta(seconds=5),
        handling: Handling | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._consumers = consumers
        self._patience = patience.total_seconds()
        self._now = now
        self._handling = handling
        self._deadly = DeadlyEvents(database=database, now=now)
        self._refusals: Mapping[str, Result] = {}
        self._lateness = Lateness()

    async def apply(self, events: Sequence[Event], publisher: str | None) -> list[Result]:
        """Applies events in their order. Returns a result for each; the last ones get none if time is short.

        After one that failed, others of its key are held back. Groups of events share a transaction; where that
        can't be kept, each gets one of its own, so that one event can't undo another.
        """
        try:
            await self._look_at_deaths()
        except Exception as error:
            if _is_the_databases(error):
                return []
            raise
        remaining = time_remaining()
        budget = _BATCH_SECONDS if remaining is None else remaining / 2
        give_up = asyncio.get_running_loop().time() + budget
        results: list[Result] = []
        failed: set[str] = set()
        while len(results) < len(events) and asyncio.get_running_loop().time() < give_up:
            group = events[len(results) : len(results) + _GROUP]
            try:
                done = await self._together(group, publisher, failed)
            except Exception as error:  # noqa: BLE001 - whichever event it was, it is found below
                if _is_the_databases(error):
                    break
                _log.warning("events are applied one by one", events=len(group), reason=type(error).__name__)
                done = await self._one_by_one(group, publisher, failed, give_up)
                if not done:
                    break
            failed |= {
                event.key
                for event, result in zip(group, done, strict=False)
                if event.key and result.outcome == Result.OUTCOME_FAILED
            }
            results += done
        return results

    async def forget(self, *, before: datetime) -> int:
        """Drops the marks of events applied before a moment, and returns how many."""
        async with self._database.begin() as tx:
            dropped = await tx.execute(delete(INBOX).where(INBOX.c.apply_time < before).returning(INBOX.c.event_id))
            count = len(dropped.all())
        await self._deadly.forget(before=before)
        return count

    async def _look_at_deaths(self) -> None:
        if self._handling is not None:
            await self._deadly.count(self._handling.left_behind())
            self._refusals = await self._deadly.refusals()

    async def _together(self, events: Sequence[Event], publisher: str | None, failed: AbstractSet[str]) -> list[Result]:
        loop = asyncio.get_running_loop()
        results: list[Result] = []
        blocked = set(failed)
        async with self._database.begin() as tx:
            end = loop.time() + _GROUP_SECONDS
            for event in events:
                result = await self._apply(tx, event, publisher, blocked)
                results.append(result)
                if result.outcome == Result.OUTCOME_FAILED:
                    blocked.add(event.key or event.event_id)
                    if result.code == code_pb2.DEADLINE_EXCEEDED:
                        # A statement may have been cut in two, and its connection be lost with all the others did.
                        raise TimeoutError
                if loop.time() >= end:
                    break
        return results

    async def _one_by_one(
        self, events: Sequence[Event], publisher: str | None, failed: AbstractSet[str], give_up: float
    ) -> list[Result]:
        results: list[Result] = []
        blocked = set(failed)
        for event in events:
            if asyncio.get_running_loop().time() >= give_up:
                break
            result = await self._alone(event, publisher, blocked)
            if result is None:
                break
            if result.outcome == Result.OUTCOME_FAILED:
                blocked.add(event.key or event.event_id)
            results.append(result)
        return results

    async def _alone(self, event: Event, publisher: str | None, blocked: AbstractSet[str]) -> Result | None:
        result: Result | None = None
        try:
            async with self._database.begin() as tx:
                result = await self._apply(tx, event, publisher, blocked)
                if result == self._too_late(event):
                    result = self._lateness.judged(event, result)
                if result.outcome == Result.OUTCOME_FAILED:
                    await tx.rollback()
        except Exception as error:  # noqa: BLE001 - as the handler's own errors
            if _is_the_databases(error):
                return None
            if result is None or result.outcome != Result.OUTCOME_FAILED:
                return _failed(event.content.type_url.rpartition("/")[2], error)
        return result

    def _too_late(self, event: Event) -> Result:
        name = event.content.type_url.rpartition("/")[2]
        return Result(
            outcome=Result.OUTCOME_FAILED,
            code=code_pb2.DEADLINE_EXCEEDED,
            message=f"the consumer of {name} took longer than {self._patience:g} s",
        )

    async def _apply(self, tx: Transaction, event: Event, publisher: str | None, blocked: AbstractSet[str]) -> Result:
        if event.key in blocked:
            return _HELD_BACK
        name = event.content.type_url.rpartition("/")[2]
        consumer = self._consumers.find(name)
        if consumer is None or event.event_id in self._refusals:
            return self._refusals.get(event.event_id, _not_subscribed(name))
        metadata = dict(event.metadata)
        deadline = asyncio.get_running_loop().time() + self._patience
        token = current.set(Delivered(name, deadline, metadata))
        try:
            async with asyncio.timeout_at(deadline) as limit, tx.begin_nested():
                if await mark(tx, event.event_id, self._now()):
                    delivery = Delivery(
                        tx=tx,
                        event_id=event.event_id,
                        publisher=publisher,
                        create_time=event.create_time.ToDatetime(UTC),
                        metadata=metadata,
                    )
                    with nullcontext() if self._handling is None else self._handling.of(event.event_id):
                        await consumer.learn(_message(consumer, event), delivery)
                    self._lateness.handled(event)
        except TimeoutError as error:
            if not limit.expired():
                return _failed(name, error)
            _log.warning("an event took too long", event_id=event.event_id)
            return self._too_late(event)
        except Exception as error:
            if _is_the_databases(error):
                raise
            return _failed(name, error)
        finally:
            current.reset(token)
        return _APPLIED


def _not_subscribed(name: str) -> Result:
    """What an older worker says, or one of a mesh.yaml that is being changed."""
    return Result(
        outcome=Result.OUTCOME_FAILED,
        code=code_pb2.UNAVAILABLE,
        message=f"this worker does not subscribe to {name} yet, or any more",
    )


def _message(consumer: Consumer, event: Event) -> Message:
    message = consumer.message_type()
    try:
        event.content.Unpack(message)
    except DecodeError:
        raise ValueError(f"the event's bytes are no {message.DESCRIPTOR.full_name}") from None
    return message


def _is_the_databases(error: Exception) -> bool:
    """Whether a failure says nothing about the event: the database was in use, or went away."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, (Contended, Unconfirmed, Unreachable))


def _failed(event_type: str, error: Exception) -> Result:
    failure = failure_of(error, Method(full_name=event_type))
    return Result(outcome=Result.OUTCOME_FAILED, code=failure.code.value[0], message=failure.message)
