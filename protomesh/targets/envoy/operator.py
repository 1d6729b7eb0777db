"""The operator's way in: every method of every service, INTERNAL ones included, on a socket only its owner may use."""

from collections.abc import Iterator

from protomesh.model import Layout, Topology, UnixAddress
from protomesh.targets.envoy.cluster import api_cluster
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.edge import HEALTH_METHODS, REFLECTION_METHODS
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.listener import listener
from protomesh.targets.envoy.names import CLUSTER, OPERATOR, OPERATOR_API, ROUTES
from protomesh.targets.envoy.route import internal_api, method_route, no_such_method
from protomesh.targets.envoy.routes import by_path

__all__ = ["operator"]


def operator(topology: Topology, layout: Layout, suspended: frozenset[str]) -> Iterator[Rendered]:
    """Yields the cluster of the operator's own API, and the listener with its routes."""
    yield api_cluster(OPERATOR_API, layout.operator_api_socket)
    where = UnixAddress(layout.operator_socket)
    yield listener(OPERATOR, where, face=Face.OPERATOR, layout=layout, origin=topology.origin, caller=OPERATOR)
    routes = {f"/{name}": internal_api(name, OPERATOR_API) for name in (*HEALTH_METHODS, *REFLECTION_METHODS)}
    for service, method in topology.methods():
        routes[method.path] = method_route(service, method, face=Face.OPERATOR, suspended=service.name in suspended)
    clusters = {OPERATOR_API, *(service.name for service, _ in topology.methods())}
    yield Rendered(
        type_url=ROUTES,
        name=OPERATOR,
        body={
            "name": OPERATOR,
            "validate_clusters": False,  # the catch-all names a cluster that does not exist
            "virtual_hosts": [{"name": OPERATOR, "domains": ["*"], "matcher": by_path(routes, no_such_method())}],
        },
        needs=tuple((CLUSTER, name) for name in sorted(clusters)),
        origins={method.full_name: method.origin for _, method in topology.methods()},
    )
