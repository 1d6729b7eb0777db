"""How a publisher's relay reaches the services that subscribe: one method, and a header that says whose it is.

Every subscriber answers the same method, so the path does not say which one is meant. The header is looked at only at
the egress of a service that may publish something to somebody, and leads to nobody but its subscribers.
"""

from collections.abc import Mapping
from datetime import timedelta

from protomesh.model import Method, Origin, RetryPolicy, Safety, Service
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.names import Body
from protomesh.targets.envoy.route import method_route, refusal
from protomesh.targets.envoy.routes import either, header

__all__ = ["DELIVER", "event_routes", "told_by"]

SUBSCRIBER = "x-protomesh-subscriber"
_FORBIDDEN = 403

DELIVER = Method(
    full_name="protomesh.events.v1.EventConsumerService/Deliver",
    request="protomesh.events.v1.DeliverRequest",
    response="protomesh.events.v1.DeliverResponse",
    safety=Safety.IDEMPOTENT,  # by the inbox
    timeout=timedelta(seconds=30),
    retry=RetryPolicy(after_response=True),
    origin=Origin(file="protomesh/events/v1/event_consumer_service.proto"),
)
"""The method as its contract declares it. No service serves it by name in mesh.yaml, so no topology has it."""


def told_by(publisher: Service) -> list[str]:
    """The services that a publisher's events may go to, sorted."""
    return sorted({name for names in publisher.subscribers.values() for name in names})


def event_routes(publisher: Service, services: Mapping[str, Service], suspended: frozenset[str]) -> dict[str, Body]:
    """The routes of a publisher's egress, by path; none if nobody subscribes to anything of it."""
    told = told_by(publisher)
    if not told:
        return {}
    choices = [
        (
            header(SUBSCRIBER, exact=name),
            method_route(services[name], DELIVER, face=Face.EGRESS, suspended=name in suspended),
        )
        for name in told
    ]
    stranger = refusal(
        f"not told by {publisher.name}",
        _FORBIDDEN,
        f"%REQ({SUBSCRIBER})% is no service that subscribes to an event of {publisher.name}: "
        "add the event to its `subscribes` in mesh.yaml",
    )
    return {DELIVER.path: either(choices, stranger)}
