"""From the model to Envoy's resources."""

from collections.abc import Iterator
from types import MappingProxyType

from protomesh.model import External, Layout, Service, Topology
from protomesh.targets.envoy.cluster import service_cluster
from protomesh.targets.envoy.configuration import Configuration, Rendered
from protomesh.targets.envoy.edge import edge
from protomesh.targets.envoy.egress import egresses
from protomesh.targets.envoy.filters import extensions
from protomesh.targets.envoy.inside_tls import SECRETS, to_worker
from protomesh.targets.envoy.names import Body
from protomesh.targets.envoy.operator import operator
from protomesh.targets.envoy.page import Pages
from protomesh.targets.envoy.upstream_tls import needed_upstream, upstream

__all__ = ["render"]


def render(
    topology: Topology,
    layout: Layout,
    suspended: frozenset[str] = frozenset(),
    pages: Pages = MappingProxyType({}),
) -> Configuration:
    """Renders everything that Envoy is told about a mesh, but for the endpoints of what the mesh starts.

    Services in `suspended` are under a debugger: nothing ends a call to them for its length, and nothing takes their
    endpoints out. `pages` are what each gateway answers by itself. Equal arguments give equal results.
    """
    return Configuration(_resources(topology, layout, suspended, pages))


def _resources(topology: Topology, layout: Layout, suspended: frozenset[str], pages: Pages) -> Iterator[Rendered]:
    for service in topology.services.values():
        secured, secrets = _secured(topology, service)
        yield service_cluster(service, suspended=service.name in suspended, secured=secured, secrets=secrets)
    yield from extensions(topology)
    yield from edge(topology, layout, suspended, pages)
    yield from operator(topology, layout, suspended)
    yield from egresses(topology, layout, suspended)


def _secured(topology: Topology, service: Service) -> tuple[Body | None, tuple[tuple[str, str], ...]]:
    """The transport socket to a service, and the secrets without which there is none."""
    if isinstance(service.runs, External):
        tls = service.runs.tls
        if tls is None:
            return None, ()
        return upstream(service.name, tls, http1=service.runs.http1), needed_upstream([service])
    if topology.mtls:
        return to_worker(topology.identity_of(service.name)), SECRETS
    return None, ()
