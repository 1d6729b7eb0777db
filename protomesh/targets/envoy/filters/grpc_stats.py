"""Counts calls by method and result: cluster.catalog.grpc.shop_catalog_v1_CatalogService.GetProduct.0.

It counts what a route sends to a service, and there are routes for the contract's methods only: callers can't make
series by calling names that do not exist. A list of the methods would do the same, but then Envoy leaves the dots of
the package in the name, and its statistics take them for the ends of parts. Routes of a prefix switch it off.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_stats_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["UNCOUNTED", "grpc_stats"]

grpc_stats = HttpFilter(
    name="grpc_stats",
    type="envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    faces=frozenset(Face),
    config={
        "stats_for_all_methods": True,
        "replace_dots_in_grpc_service_name": True,
        "enable_upstream_stats": True,
    },
)

UNCOUNTED: Body = {grpc_stats.name: typed("envoy.config.route.v3.FilterConfig", disabled=True)}
"""The configuration of a route whose paths no contract names."""
