"""Lets web pages of other origins call, and read what they are answered.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/cors_filter
"""

from protomesh.model import Gateway, Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["EXPOSED_HEADERS", "cors"]

# One header missing in these lists broke 13 of 51 calls in Chromium.
_ALLOWED_HEADERS = (
    "accept",
    "authorization",
    "baggage",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "last-event-id",  # EventSource, when it reconnects
    "traceparent",
    "tracestate",
    "x-accept-content-transfer-encoding",  # gRPC-Web in text form
    "x-accept-response-streaming",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",  # gRPC-Web's own clients
)
EXPOSED_HEADERS = (
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-request-id",
)
"""What a page may read of an answer."""


def _policy(topology: Topology, gateway: Gateway) -> Body | None:
    if gateway.cors is None:
        return None
    verbs = {binding.verb for _, method in topology.exposed() for binding in method.rest if binding.enabled}
    return typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in gateway.cors.origins],
        allow_methods=",".join(sorted(verbs | {"GET", "OPTIONS", "POST"})),
        allow_headers=",".join(_ALLOWED_HEADERS),
        expose_headers=",".join(EXPOSED_HEADERS),
        max_age="600",
        # Tokens travel in a header. Cookies of the visitor are never sent along.
        allow_credentials=False,
    )


cors = HttpFilter(
    name="cors",
    type="envoy.extensions.filters.http.cors.v3.Cors",
    faces=frozenset({Face.EDGE}),
    per_gateway=_policy,
)
