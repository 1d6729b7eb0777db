"""EventConsumerService, as a service with consumers answers it."""

from typing import Any

from protomesh.events.v1.event_consumer_service_pb2 import DeliverRequest, DeliverResponse
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceServicer
from protomesh.runtime.events.inbox import Inbox

__all__ = ["EventConsumer"]


class EventConsumer(EventConsumerServiceServicer):
    """Hands what publishers deliver to an inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def Deliver(self, request: DeliverRequest, context: Any) -> DeliverResponse:  # noqa: N802 - the contract's name
        """Applies a batch of events; see the contract."""
        return DeliverResponse(results=await self._inbox.apply(request.events, context.caller))
