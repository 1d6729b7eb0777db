"""The edge: where callers from outside come in, by gRPC, gRPC-Web or REST."""

from collections.abc import Iterator, Mapping

from protomesh.model import Gateway, Layout, Topology
from protomesh.targets.envoy.cluster import api_cluster
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.filters import per_gateway
from protomesh.targets.envoy.filters.grpc_json_transcoder import EVENT_STREAM
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.filters.rest_stream_type import REST
from protomesh.targets.envoy.listener import listener
from protomesh.targets.envoy.names import CLUSTER, EDGE_API, ROUTES, Body
from protomesh.targets.envoy.page import Page, Pages, largest_page, page_outcome
from protomesh.targets.envoy.route import internal_api, method_route, no_such_method, passed_through, refusal
from protomesh.targets.envoy.routes import all_of, by_path, by_prefix, either, header
from protomesh.targets.envoy.tls import downstream, needed, security

__all__ = ["HEALTH_METHODS", "REFLECTION_METHODS", "edge"]

HEALTH_METHODS = tuple(f"grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))
REFLECTION_METHODS = tuple(
    f"grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")
)

_UNSUPPORTED_MEDIA_TYPE = 415


def edge(topology: Topology, layout: Layout, suspended: frozenset[str], pages: Pages) -> Iterator[Rendered]:
    """Yields the cluster of the edge's own API, and a listener with its routes for each gateway."""
    yield api_cluster(EDGE_API, layout.edge_api_socket)
    for gateway in topology.gateways:
        yield listener(
            gateway.name,
            gateway.listen,
            face=Face.EDGE,
            layout=layout,
            origin=gateway.origin,
            secured=downstream(gateway.name, gateway.tls) if gateway.tls else None,
            secrets=needed(gateway),
        )
        yield _routes(topology, gateway, suspended, pages.get(gateway.name, {}))


def _routes(topology: Topology, gateway: Gateway, suspended: frozenset[str], pages: Mapping[str, Page]) -> Rendered:
    """The routes of a gateway.

    Exact paths are for calls that speak gRPC by now, and for nothing else: a service never sees another verb. Whatever
    else comes is looked at by how its path begins: it may be a service's that only takes gRPC, a prefix of the gateway,
    or REST on its way to the transcoder. Preflights need some route, whose virtual host has the CORS policy.
    """
    prefixes = {route.prefix: passed_through(route.prefix, route.service) for route in gateway.routes}

    written = {path: page_outcome(path, page) for path, page in pages.items()}
    queried = {f"{path}?": written[path] for path, page in pages.items() if page.takes_query}

    def others(last: Body) -> Body:
        return by_path(written, by_prefix(_grpc_only(topology) | prefixes | queried, last))

    speaks_grpc = all_of(header("content-type", prefix="application/grpc"), header(":method", exact="POST"))
    virtual_host: Body = {
        "name": gateway.name,
        "domains": ["*"],
        "matcher": either(
            [
                (speaks_grpc, by_path(_methods(topology, gateway, suspended), by_prefix(prefixes, no_such_method()))),
                (header(":method", exact="OPTIONS"), by_prefix(prefixes, no_such_method())),
                (header("accept", contains="text/event-stream"), others(_event_stream())),
            ],
            others(_rest()),
        ),
        "typed_per_filter_config": per_gateway(topology, gateway),
    } | security(gateway.tls)
    clusters = {EDGE_API, *(service.name for service, _ in topology.exposed()), *(r.service for r in gateway.routes)}
    return Rendered(
        type_url=ROUTES,
        name=gateway.name,
        # The catch-all names a cluster that does not exist.
        body={"name": gateway.name, "validate_clusters": False, "virtual_hosts": [virtual_host]}
        | ({"max_direct_response_body_size_bytes": largest_page(pages)} if pages else {}),
        needs=tuple((CLUSTER, name) for name in sorted(clusters)),
        origins={method.full_name: method.origin for _, method in topology.exposed()}
        | {route.prefix: route.origin for route in gateway.routes},
    )


def _methods(topology: Topology, gateway: Gateway, suspended: frozenset[str]) -> dict[str, Body]:
    apis = (*HEALTH_METHODS, *(REFLECTION_METHODS if gateway.reflection else ()))
    routes = {f"/{name}": internal_api(name, EDGE_API) for name in apis}
    carriers = topology.token_carriers()
    for service, method in topology.exposed():
        routes[method.path] = method_route(
            service,
            method,
            face=Face.EDGE,
            suspended=service.name in suspended,
            carries_token=service.name in carriers,
        )
    return routes


def _grpc_only(topology: Topology) -> dict[str, Body]:
    """Where a service's methods would be. Its server ignores the content type, and Envoy then says 503."""
    message = "this path takes gRPC and gRPC-Web: POST with content-type application/grpc or application/grpc-web"
    return {
        f"/{name}/": refusal("content type", _UNSUPPORTED_MEDIA_TYPE, message)
        for name in sorted({method.full_name.partition("/")[0] for _, method in topology.exposed()})
    }


def _rest() -> Body:
    return no_such_method() | {"typed_per_filter_config": REST}


def _event_stream() -> Body:
    return no_such_method() | {"name": "event stream", "typed_per_filter_config": EVENT_STREAM}
