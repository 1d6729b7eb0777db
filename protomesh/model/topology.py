"""The whole mesh, resolved: the one thing that every target renders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from protomesh.model.auth import TokenProvider
from protomesh.model.contract import DeclaredError, DeclaredEvent, Method, RpcService
from protomesh.model.gateway import Gateway
from protomesh.model.origin import Origin
from protomesh.model.service import External, Service, UserAs

__all__ = ["Topology"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A validated mesh. Whoever holds one need not check it again.

    `descriptors` is a serialized google.protobuf.FileDescriptorSet of every contract with its imports, each file
    after those it imports, comments included. google/rpc/status.proto and error_details.proto are among them, whether
    a contract imports them or not: errors travel in them.
    """

    name: str
    environment: str = "base"  # "base", or ENV of mesh.<ENV>.yaml
    services: Mapping[str, Service]  # by name, sorted
    gateways: tuple[Gateway, ...]
    auth: tuple[TokenProvider, ...] = ()  # without one every USER method answers UNAUTHENTICATED
    errors: Mapping[str, DeclaredError] = field(default_factory=dict)  # by full name, sorted
    events: Mapping[str, DeclaredEvent] = field(default_factory=dict)  # by full name, sorted
    envoy_path: str | None = None  # envoy.path of mesh.yaml
    mtls: bool = False  # whether Envoy and workers prove to each other who they are
    descriptors: bytes
    origin: Origin  # of mesh.yaml

    def with_key_sets(self, key_sets: Mapping[str, str]) -> "Topology":
        """The same mesh, whose issuers have published these keys, by issuer."""
        auth = tuple(replace(provider, key_set=key_sets.get(provider.issuer, "")) for provider in self.auth)
        return replace(self, auth=auth)

    @property
    def proxy_identity(self) -> str:
        """The SPIFFE ID of Envoy and of the mesh itself."""
        return f"spiffe://{self.name}/proxy"

    def identity_of(self, service: str) -> str:
        """The SPIFFE ID of a service's workers."""
        return f"spiffe://{self.name}/service/{service}"

    def methods(self) -> Iterator[tuple[Service, Method]]:
        """Yields every method with the service that serves it, sorted by service, then in the contract's order."""
        for service in self.services.values():
            for method in service.methods:
                yield service, method

    def exposed(self) -> Iterator[tuple[Service, Method]]:
        """Yields the methods that exist at the edge, in the order of `methods`."""
        return ((service, method) for service, method in self.methods() if method.exposed)

    def find(self, full_name: str) -> tuple[Service, Method] | None:
        """The method of that full name (`package.Service/Method`) with the service that serves it."""
        return next(((s, m) for s, m in self.methods() if m.full_name == full_name), None)

    def rpc_services(self) -> Iterator[tuple[Service, RpcService]]:
        """Yields every served RPC service with its owner."""
        for service in self.services.values():
            for rpc_service in service.serves:
                yield service, rpc_service

    def token_carriers(self) -> frozenset[str]:
        """The services from which a call can get to one that wants the user's token; those that want it included."""
        found = {
            service.name
            for service in self.services.values()
            if isinstance(service.runs, External) and service.runs.user is UserAs.TOKEN
        }
        while more := {
            service.name
            for service in self.services.values()
            if service.name not in found and any(call.service in found for call in service.calls)
        }:
            found |= more
        return frozenset(found)

    def callable_from(self, caller: Service) -> Iterator[tuple[Service, Method]]:
        """Yields the methods that `calls` of mesh.yaml lets a service reach, sorted by callee."""
        for call in sorted(caller.calls, key=lambda call: call.service):
            callee = self.services[call.service]
            for method in callee.methods:
                if call.covers(method.full_name):
                    yield callee, method
