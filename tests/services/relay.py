"""Events as a service's consumers get them: from a publisher's relay, over gRPC, through an inbox."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from google.protobuf.message import Message

from protomesh.events.v1.event_consumer_service_pb2 import DeliverRequest, Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub
from protomesh.runtime.events.consumers import Consumers
from protomesh.runtime.events.inbox import Inbox
from protomesh.runtime.events.servicer import EventConsumer
from protomesh.runtime.store import Database
from protomesh.testing.serving import serving

__all__ = ["Relay", "new_event", "relaying"]


class Relay:
    """Delivers events to one worker of a service."""

    def __init__(self, stub: EventConsumerServiceStub) -> None:
        self._stub = stub

    async def deliver(self, *events: Event) -> list[Result]:
        """Delivers a batch, and returns what became of each event."""
        return list((await self._stub.Deliver(DeliverRequest(events=events))).results)

    async def tell(self, *contents: Message) -> None:
        """Delivers new events, which are all applied."""
        results = await self.deliver(*(new_event(content) for content in contents))
        assert [result.outcome for result in results] == [Result.OUTCOME_APPLIED] * len(contents)


def new_event(content: Message, *, key: str = "", create_time: datetime | None = None) -> Event:
    """An event that was not delivered before."""
    event = Event(event_id=str(uuid.uuid4()), key=key)
    event.content.Pack(content)
    if create_time is not None:
        event.create_time.FromDatetime(create_time)
    return event


@asynccontextmanager
async def relaying(db: Database, *consumers: object) -> AsyncGenerator[Relay]:
    """Serves a service's consumers on its database, for the block."""
    inbox = Inbox(db, Consumers(consumers))
    async with serving(EventConsumer(inbox), EventConsumerServiceStub, caller="orders") as stub:
        yield Relay(stub)
