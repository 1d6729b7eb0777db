"""Makes gRPC of gRPC-Web, binary and text.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_web_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter

__all__ = ["grpc_web"]

grpc_web = HttpFilter(
    name="grpc_web",
    type="envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
    faces=frozenset({Face.EDGE}),
)
