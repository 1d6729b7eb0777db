"""Counts calls by method and result: cluster.catalog.grpc.shop_catalog_v1_CatalogService.GetProduct.0.

Only the contract's methods have series of their own; a caller can't make more by calling names that do not exist.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_stats_filter
"""

from protomesh.model import Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body

__all__ = ["grpc_stats"]


def _config(topology: Topology) -> Body:
    return {
        "individual_method_stats_allowlist": {
            "services": [
                {"name": rpc_service.full_name, "method_names": [method.name for method in rpc_service.methods]}
                for _, rpc_service in topology.rpc_services()
                if rpc_service.methods
            ]
        },
        # A dot ends a part of a statistic's name, so a package's dots would mangle it.
        "replace_dots_in_grpc_service_name": True,
        "enable_upstream_stats": True,
    }


grpc_stats = HttpFilter(
    name="grpc_stats",
    type="envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    faces=frozenset(Face),
    discovered=_config,
)
