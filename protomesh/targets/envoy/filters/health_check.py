"""Answers GET /healthz: 200 while every service that the edge exposes has an endpoint that is well, else 503.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/health_check_filter
"""

from protomesh.model import Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body

__all__ = ["health_check"]


def _config(topology: Topology) -> Body:
    exposed = sorted({service.name for service, _ in topology.exposed()})
    return {
        "pass_through_mode": False,
        "headers": [{"name": ":path", "string_match": {"exact": "/healthz"}}],
        "cluster_min_healthy_percentages": {name: {"value": 1} for name in exposed},
    }


health_check = HttpFilter(
    name="health_check",
    type="envoy.extensions.filters.http.health_check.v3.HealthCheck",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
)
