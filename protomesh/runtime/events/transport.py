"""How a batch of events gets from a relay to a subscriber."""

from collections.abc import Sequence
from typing import Protocol

from grpc.aio import AioRpcError

from protomesh.events.v1.event_consumer_service_pb2 import DeliverRequest, DeliverResponse, Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import EventConsumerServiceStub

__all__ = ["SUBSCRIBER", "MeshTransport", "Transport", "Undelivered"]

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


class Transport(Protocol):
    """A way to a service's inbox."""

    async def deliver(self, subscriber: str, events: Sequence[Event]) -> Sequence[Result]:
        """Delivers events to a service, named as in mesh.yaml. Returns a result for each of the first ones.

        Raises:
            Undelivered: Nothing is known about any of them.
        """
        ...


class MeshTransport:
    """The mesh itself: a call through Envoy to EventConsumerService of the subscriber."""

    def __init__(self, stub: EventConsumerServiceStub) -> None:
        self._stub = stub

    async def deliver(self, subscriber: str, events: Sequence[Event]) -> Sequence[Result]:
        """Calls the subscriber. The contract's deadline holds."""
        try:
            response: DeliverResponse = await self._stub.Deliver(
                DeliverRequest(events=events), metadata=((SUBSCRIBER, subscriber),)
            )
        except AioRpcError as error:
            raise Undelivered(error.code().name, error.details() or "") from error
        return response.results
