"""Sends the call to its cluster.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter

__all__ = ["router"]

router = HttpFilter(
    name="router",
    type="envoy.extensions.filters.http.router.v3.Router",
    faces=frozenset(Face),
    # x-envoy-upstream-service-time and the like are nobody's business.
    config={"suppress_envoy_headers": True},
)
