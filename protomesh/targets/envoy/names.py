"""The names that Envoy's configuration uses: types, clusters, extensions."""

from typing import Any

__all__ = [
    "CALLER",
    "CLUSTER",
    "EDGE_API",
    "ENDPOINTS",
    "EXTENSION",
    "LISTENER",
    "NO_CLUSTER",
    "OPERATOR",
    "OPERATOR_API",
    "RESERVED",
    "ROUTES",
    "SECRET",
    "SERVICE_API",
    "XDS",
    "Body",
    "egress",
    "typed",
]

Body = dict[str, Any]
"""A message of Envoy's API in protobuf's JSON form, with the field names of the .proto."""

_TYPES = "type.googleapis.com/"

LISTENER = _TYPES + "envoy.config.listener.v3.Listener"
ROUTES = _TYPES + "envoy.config.route.v3.RouteConfiguration"
CLUSTER = _TYPES + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = _TYPES + "envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET = _TYPES + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = _TYPES + "envoy.config.core.v3.TypedExtensionConfig"

CALLER = "x-protomesh-caller"
"""Who calls, as the mesh says it. What a caller says itself is taken off or replaced before anything looks at it."""

EDGE_API = "edge-api"  # reflection and health as the edge shows them
OPERATOR_API = "operator-api"  # the same for the operator
SERVICE_API = "service-api"  # what the mesh answers to its own services
XDS = "xds"  # the control plane
NO_CLUSTER = "none"  # never exists; a route to it answers NOT_FOUND
OPERATOR = "operator"  # the operator's listener, and who calls through it
RESERVED = frozenset({EDGE_API, OPERATOR_API, SERVICE_API, XDS, NO_CLUSTER, OPERATOR})
"""Names that mean something else here: no service of mesh.yaml may have one of them."""


def egress(service: str) -> str:
    """The listener, and its routes, for the calls that a service makes."""
    return f"egress-{service}"


def typed(message: str, **fields: Any) -> Body:
    """A message that is packed in an Any."""
    return {"@type": _TYPES + message, **fields}
