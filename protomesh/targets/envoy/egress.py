"""The way out of a service: a unix socket of its own, through which it reaches what its `calls` name."""

from collections.abc import Iterator

from protomesh.model import Layout, RpcService, Service, Topology, UnixAddress
from protomesh.targets.envoy.cluster import api_cluster
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.events import event_routes, told_by
from protomesh.targets.envoy.filters.header_to_metadata import CALLED_METHOD
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.inside_tls import SECRETS, from_worker
from protomesh.targets.envoy.listener import listener
from protomesh.targets.envoy.names import CLUSTER, ROUTES, SERVICE_API, Body, egress
from protomesh.targets.envoy.route import internal_api, method_route, no_such_method, refusal
from protomesh.targets.envoy.routes import by_path, by_prefix

__all__ = ["PUBLISH_KEY_SET", "egresses"]

PUBLISH_KEY_SET = "protomesh.keys.v1.KeySetService/PublishKeySet"
_FORBIDDEN = 403


def egresses(topology: Topology, layout: Layout, suspended: frozenset[str]) -> Iterator[Rendered]:
    """Yields a listener with its routes for each service that the mesh starts, and what the mesh answers there."""
    if topology.auth:
        yield api_cluster(SERVICE_API, layout.service_api_socket)
    for service in topology.services.values():
        if service.supervised:
            name = egress(service.name)
            where = UnixAddress(layout.egress_socket(service.name))
            yield listener(
                name,
                where,
                face=Face.EGRESS,
                layout=layout,
                origin=service.origin,
                caller=service.name,
                secured=from_worker(topology.identity_of(service.name)) if topology.mtls else None,
                secrets=SECRETS if topology.mtls else (),
            )
            yield _routes(topology, service, suspended)


def _routes(topology: Topology, caller: Service, suspended: frozenset[str]) -> Rendered:
    name = egress(caller.name)
    callable_methods = list(topology.callable_from(caller))
    routes = {
        method.path: method_route(callee, method, face=Face.EGRESS, suspended=callee.name in suspended)
        for callee, method in callable_methods
    } | _of_the_mesh(topology, caller, suspended)
    refusals = {
        f"/{rpc_service.full_name}/": _not_in_calls(caller, callee, rpc_service)
        for callee, rpc_service in topology.rpc_services()
    }
    clusters = {callee.name for callee, _ in callable_methods} | set(told_by(caller))
    if _issues_tokens(topology, caller):
        clusters.add(SERVICE_API)
    virtual_host: Body = {
        "name": name,
        "domains": ["*"],
        "matcher": by_path(routes, by_prefix(refusals, no_such_method())),
    }
    return Rendered(
        type_url=ROUTES,
        name=name,
        body={
            "name": name,
            "validate_clusters": False,  # the catch-all names a cluster that does not exist
            "virtual_hosts": [virtual_host],
        },
        needs=tuple((CLUSTER, name) for name in sorted(clusters)),
        origins={method.full_name: method.origin for _, method in callable_methods},
    )


def _of_the_mesh(topology: Topology, caller: Service, suspended: frozenset[str]) -> dict[str, Body]:
    """What the mesh itself answers to one of its services, and the way to those that are told of its events."""
    routes = event_routes(caller, topology.services, suspended)
    if _issues_tokens(topology, caller):
        routes[f"/{PUBLISH_KEY_SET}"] = internal_api(PUBLISH_KEY_SET, SERVICE_API)
    return routes


def _issues_tokens(topology: Topology, service: Service) -> bool:
    return any(provider.keys.service == service.name for provider in topology.auth)


def _not_in_calls(caller: Service, callee: Service, called: RpcService) -> Body:
    # Where a service serves several RPC services, a method's name alone may mean two.
    prefix = f"{called.full_name.rpartition('.')[2]}." if len(callee.serves) > 1 else ""
    return refusal(
        f"not in calls of {caller.name}",
        _FORBIDDEN,
        f"{caller.name} may not call {called.full_name}/{CALLED_METHOD}: "
        f"add {callee.name}/{prefix}{CALLED_METHOD} to `calls` of {caller.name} in mesh.yaml",
    )
