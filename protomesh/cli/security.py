"""What of a mesh is open, and to whom: the part of `protomesh check --security` that looks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from protomesh.model import Audience, External, Gateway, Method, Origin, Safety, Service, TcpAddress, Topology
from protomesh.targets.envoy import Override

__all__ = ["Exposure", "exposures", "kinds"]

_OVERLAY = Path("envoy/bootstrap.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One thing to know. It may well be meant."""

    kind: str
    what: str
    origin: Origin


_PUBLIC = "PUBLIC methods, which anybody may call, or whoever shows a certificate of those named"
_UNLIMITED = "Writes without a rate limit"
_NO_SCOPE = "USER methods without a scope, where any valid token will do"
_PLAIN = "Plain text"
_PASSED = "Paths that go to a service as they are, past all policies"
_SHOWN = "Folders whose files anybody may read"
_UNPROVED = "Calls between services whose caller is not proved"
_OVERRIDES = "Overrides of what the contracts say"

_KINDS = (_PUBLIC, _UNLIMITED, _NO_SCOPE, _PLAIN, _PASSED, _SHOWN, _UNPROVED, _OVERRIDES)


def kinds(found: Iterable[Exposure]) -> Iterator[tuple[str, list[Exposure]]]:
    """What was found of each kind, also of those of which there is nothing."""
    listed = list(found)
    for kind in _KINDS:
        yield kind, [exposure for exposure in listed if exposure.kind == kind]


def exposures(topology: Topology, overrides: Sequence[Override], root: Path) -> Iterator[Exposure]:
    """Yields all that a reviewer wants to see, each with the line that says so."""
    for _, method in topology.methods():
        yield from _of_method(method)
    for service in topology.services.values():
        if isinstance(service.runs, External) and _is_plain(service.runs):
            what = f"calls to {service.name} at {service.runs.address}"
            yield Exposure(kind=_PLAIN, what=what, origin=service.origin)
        if service.supervised and (why := "; ".join(_doubts(service, topology))):
            for call in service.calls:
                yield Exposure(kind=_UNPROVED, what=f"{service.name} calls {call.service}: {why}", origin=call.origin)
    for gateway in topology.gateways:
        yield from _of_gateway(gateway)
    for override in overrides:
        yield Exposure(kind=_OVERRIDES, what=f"Envoy's {override.kind} {override.name}", origin=override.origin)
    if (root / _OVERLAY).is_file():
        yield Exposure(kind=_OVERRIDES, what="Envoy's bootstrap", origin=Origin(file=str(_OVERLAY), line=1, column=1))


def _doubts(caller: Service, topology: Topology) -> Iterator[str]:
    """Why a call that comes as from this service may be another one's."""
    if not topology.mtls:
        yield "no mtls"
    if caller.account is None:
        yield "it has no user of its own"
        return
    others = [other for other in topology.services.values() if other.supervised and other is not caller]
    users = {other.name: other.account and other.account.name for other in others}
    if same := [name for name, user in users.items() if user == caller.account.name]:
        yield f"{', '.join(same)} has the same user"
    if as_we := [name for name, user in users.items() if user is None]:
        yield f"{', '.join(as_we)} runs as who runs the mesh, and can be anybody"


def _is_plain(external: External) -> bool:
    return isinstance(external.address, TcpAddress) and external.tls is None


def _of_method(method: Method) -> Iterator[Exposure]:
    audience = method.origins.get("audience", method.origin)
    if method.audience is Audience.PUBLIC:
        who = f", by {', '.join(method.clients)}" if method.clients else ""
        yield Exposure(kind=_PUBLIC, what=f"{method.full_name}{who}", origin=audience)
    if method.exposed and method.safety is not Safety.NO_SIDE_EFFECTS and method.rate_limit is None:
        yield Exposure(kind=_UNLIMITED, what=method.full_name, origin=method.origin)
    if method.audience is Audience.USER and not method.scopes:
        yield Exposure(kind=_NO_SCOPE, what=method.full_name, origin=audience)
    for name, origin in method.origins.items():
        if not origin.file.endswith(".proto"):
            yield Exposure(kind=_OVERRIDES, what=f"{method.full_name}: {name}", origin=origin)


def _of_gateway(gateway: Gateway) -> Iterator[Exposure]:
    if gateway.tls is None:
        yield Exposure(kind=_PLAIN, what=f"gateway {gateway.name} at {gateway.listen}", origin=gateway.origin)
    for route in gateway.routes:
        yield Exposure(kind=_PASSED, what=f"{route.prefix} to {route.service}", origin=route.origin)
    for files in gateway.files:
        yield Exposure(kind=_SHOWN, what=f"{files.folder} at {files.prefix}", origin=files.origin)
