"""xDS as a protocol: a Delta ADS server that any management server can stand on.

In go snapshots of opaque resources, published per node; out come gRPC responses to the proxies that subscribe, and
what those proxies said to them. It keeps the protocol's rules (versions are content hashes, push order, endpoints again
after a cluster change, removals last, refused resources set aside) and knows neither the mesh nor what is inside a
resource. Of Protomesh it imports nothing.

The rules are those of https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol.
"""

from protomesh.xds.cache import ANY_NODE, Cache, NotAcknowledged, Refused
from protomesh.xds.order import PUSH_ORDER
from protomesh.xds.resource import Key, Resource
from protomesh.xds.server import Server
from protomesh.xds.snapshot import Inconsistent, Snapshot
from protomesh.xds.status import NodeStatus, Rejection, StreamStatus, TypeStatus

__all__ = [
    "ANY_NODE",
    "PUSH_ORDER",
    "Cache",
    "Inconsistent",
    "Key",
    "NodeStatus",
    "NotAcknowledged",
    "Refused",
    "Rejection",
    "Resource",
    "Server",
    "Snapshot",
    "StreamStatus",
    "TypeStatus",
]
