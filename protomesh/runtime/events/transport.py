"""How a batch of events gets from a relay to a subscriber."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from grpc.aio import AioRpcError

from protomesh.events.v1.event_consumer_service_pb2 import DeliverRequest, DeliverResponse, Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub
from protomesh.runtime.events.inbox import Inbox

__all__ = ["SUBSCRIBER", "InboxTransport", "MeshTransport", "Transport", "Undelivered"]

SUBSCRIBER = "x-protomesh-subscriber"
"""The metadata by which the mesh finds the service that a batch is for."""


class Undelivered(Exception):  # noqa: N818 - it says what happened
    """A batch, or its answer, did not get through. It says nothing about the events in it."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details

    @property
    def late(self) -> bool:
        """Whether there was not enough time for it."""
        return self.code == "DEADLINE_EXCEEDED"


class Transport(ABC):
    """A way for events from a log."""

    @abstractmethod
    async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
        """Delivers events of a peer, a service named as in mesh.yaml. Returns a result for each of the first ones.

        Raises:
            Undelivered: Nothing is known about any of them.
        """

    async def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Lets go of what deliveries hold open, if anything. Further ones may follow."""


class MeshTransport(Transport):
    """The mesh itself: a call through Envoy to EventConsumerService of the subscriber."""

    def __init__(self, stub: EventConsumerServiceStub) -> None:
        self._stub = stub

    async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
        """Calls the peer, which subscribes. The contract's deadline holds."""
        try:
            response: DeliverResponse = await self._stub.Deliver(
                DeliverRequest(events=events), metadata=((SUBSCRIBER, peer),)
            )
        except AioRpcError as error:
            raise Undelivered(error.code().name, error.details() or "") from error
        return response.results


class InboxTransport(Transport):
    """No way at all: events that a broker has brought are handed to the service's own consumers."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
        """Applies the events. The peer has published them."""
        return await self._inbox.apply(events, peer)
