"""Resolves what holds for each method: contract, then mesh.yaml, then its overlay, each lowering the one before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from protomesh.contract.annotations import Contract, MethodDeclaration, ServiceDeclaration
from protomesh.contract.durations import format_duration, parse_duration
from protomesh.contract.mesh_schema import Contracts, Override, RateLimitFile
from protomesh.contract.mesh_yaml import Layer, Mesh
from protomesh.contract.report import Report, Rule
from protomesh.contract.rest import rest_bindings
from protomesh.model import (
    DEFAULT_MAX_REQUEST_BYTES,
    Audience,
    Method,
    Origin,
    RateLimit,
    RetryPolicy,
)
from protomesh.v1 import options_pb2

__all__ = ["RULES", "Resolved", "package_defaults", "resolve_methods"]

OVERLAY_WIDENS = Rule(
    id="OVERLAY_WIDENS",
    means="mesh.yaml or an overlay allows more than the file before it: a later deadline, more calls, more callers.",
)
RULES = (OVERLAY_WIDENS,)

AUDIENCES = {
    options_pb2.AUDIENCE_INTERNAL: Audience.INTERNAL,
    options_pb2.AUDIENCE_USER: Audience.USER,
    options_pb2.AUDIENCE_PUBLIC: Audience.PUBLIC,
}
_WIDTH = (Audience.INTERNAL, Audience.USER, Audience.PUBLIC)
_HINT = "Lower it, or change the contract: mesh.yaml may only lower deadlines and limits and tighten the audience."


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A method with its policy, and what it was before mesh.yaml's overrides."""

    method: Method
    declared: Audience  # of the contract, or of `contracts:` where it says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Policy:
    timeout: timedelta | None
    audience: Audience
    rate_limit: RateLimit | None
    clients: tuple[str, ...] = ()
    origins: Mapping[str, Origin]


def resolve_methods(contract: Contract, mesh: Mesh, report: Report) -> dict[str, Resolved]:
    """Resolves every method of the contracts, by full name.

    Reports what an override widens. A duration that is malformed counts as absent here; `lint` reports it.
    """
    resolved: dict[str, Resolved] = {}
    narrowing: set[Origin] = set()
    for service, method in contract.methods():
        declared, policy = _resolve(service, method, mesh, report, narrowing)
        resolved[method.full_name] = Resolved(
            method=_method(contract, service, method, policy), declared=declared.audience
        )
    for layer in mesh.layers:
        for key in layer.overrides.keys() & contract.services.keys():
            for name, value in _settings(layer.overrides[key]):
                origin = layer.tree.origin(("overrides", key, name))
                if origin not in narrowing:
                    message = f"{name} {_written(value)} lowers that of no method of {key}"
                    report.add(OVERLAY_WIDENS, origin, message, _HINT)
    return resolved


def package_defaults(contracts: Mapping[str, Contracts], package: str) -> tuple[str, Contracts] | None:
    """The entry of `contracts:` for a package: that of the longest prefix, as "weather" for weather.v1."""
    fitting = [known for known in contracts if package == known or package.startswith(f"{known}.")]
    return max(((name, contracts[name]) for name in fitting), key=lambda pair: len(pair[0]), default=None)


def _resolve(
    service: ServiceDeclaration, method: MethodDeclaration, mesh: Mesh, report: Report, narrowing: set[Origin]
) -> tuple[_Policy, _Policy]:
    """Returns what the contract declares and what holds in the end. Overrides that narrow go to `narrowing`."""
    declared = _declared(service, method, mesh.layers[0])
    policy = declared
    applied: list[Layer] = []
    for layer in mesh.layers:
        if applied:  # the overlay may have changed the defaults below the overrides
            before = policy
            policy = _declared(service, method, layer)
            for earlier in applied:
                policy = _override(policy, service, method, earlier, Report(), set())
            _check_defaults(before, policy, method, report)
        policy = _override(policy, service, method, layer, report, narrowing)
        applied.append(layer)
    return declared, policy


def _declared(service: ServiceDeclaration, method: MethodDeclaration, layer: Layer) -> _Policy:
    found = package_defaults(layer.contracts, service.package)
    name, defaults = found or ("", Contracts())
    origins = dict(method.origins)

    timeout = duration(method.policy.timeout)
    if timeout is None and not method.streaming:
        timeout = duration(service.policy.timeout)
        if timeout is not None:
            origins["timeout"] = service.origins["timeout"]
        elif defaults.timeout is not None and not (method.policy.timeout or service.policy.timeout):
            timeout = defaults.timeout
            origins["timeout"] = layer.contracts_tree.origin(("contracts", name, "timeout"))

    audience = AUDIENCES.get(method.policy.audience)
    if audience is None and (audience := AUDIENCES.get(service.policy.audience)) is not None:
        origins["audience"] = service.origins["audience"]
    elif audience is None and defaults.audience is not None:
        audience = defaults.audience
        origins["audience"] = layer.contracts_tree.origin(("contracts", name, "audience"))

    limit = None
    if method.policy.HasField("rate_limit") and method.policy.rate_limit.requests:
        per = duration(method.policy.rate_limit.per)
        limit = RateLimit(requests=method.policy.rate_limit.requests, per=per) if per else None
    return _Policy(timeout=timeout, audience=audience or Audience.INTERNAL, rate_limit=limit, origins=origins)


def _override(
    policy: _Policy,
    service: ServiceDeclaration,
    method: MethodDeclaration,
    layer: Layer,
    report: Report,
    narrowing: set[Origin],
) -> _Policy:
    """Applies one file's overrides: of the service, which cap, then of the method, which must not widen.

    As in a contract, the timeout of a service is for its unary methods and leaves streams alone.
    """
    for key in (service.full_name, method.full_name):
        for name, new in _settings(layer.overrides.get(key)):
            origin = layer.tree.origin(("overrides", key, name))
            current = getattr(policy, name)
            if name == "timeout" and method.streaming and key == service.full_name:
                continue
            if not _wider(new, current):
                narrowing.add(origin)
                if new != current:
                    changes: dict[str, Any] = {name: new, "origins": {**policy.origins, name: origin}}
                    policy = replace(policy, **changes)
            elif key == method.full_name:
                message = f"{_written(new)} is more than {_written(current)}, which {method.full_name} has"
                report.add(OVERLAY_WIDENS, origin, message, _HINT)
    return policy


def _settings(override: Override | None) -> Iterator[tuple[str, Any]]:
    """What an override sets, in the model's types."""
    for name in ("timeout", "audience", "rate_limit", "clients"):
        value = getattr(override, name, None)
        if isinstance(value, RateLimitFile):
            yield name, RateLimit(requests=value.requests, per=value.per)
        elif isinstance(value, list):
            yield name, tuple(value)
        elif value is not None:
            yield name, value


def _check_defaults(before: _Policy, after: _Policy, method: MethodDeclaration, report: Report) -> None:
    """Defaults of `contracts:` in an overlay must not widen what mesh.yaml made of a method."""
    for name in ("timeout", "audience"):
        old, new = getattr(before, name), getattr(after, name)
        if _wider(new, old):
            message = f"{_written(new)} is more than {_written(old)}, which {method.full_name} has"
            report.add(OVERLAY_WIDENS, after.origins.get(name, method.origin), message, _HINT)


def _wider(new: Any, current: Any) -> bool:
    if isinstance(new, Audience):
        return _WIDTH.index(new) > _WIDTH.index(current)
    if isinstance(new, tuple):
        return bool(current) and not set(new) <= set(current)
    if current is None or new is None:
        return new is None and current is not None
    if isinstance(new, RateLimit):
        return bool(new.requests > current.requests or new.requests * current.per > current.requests * new.per)
    return bool(new > current)


def _written(value: Any) -> str:
    if isinstance(value, Audience):
        return value.name
    if isinstance(value, RateLimit):
        return f"{value.requests} per {format_duration(value.per)}"
    if isinstance(value, tuple):
        return ", ".join(value)
    return "none" if value is None else format_duration(value)


def _method(contract: Contract, service: ServiceDeclaration, method: MethodDeclaration, policy: _Policy) -> Method:
    exposed = policy.audience is not Audience.INTERNAL
    kept = ("timeout", "audience", "scopes", "clients", "safety", "retry", "rate_limit", "max_request_bytes")
    origins = {name: policy.origins[name] for name in kept if name in policy.origins}
    if not exposed:
        origins.pop("clients", None)  # it is about callers at the edge
    errors = (contract.find_error(name, service.package) for name in method.policy.errors)
    return Method(
        full_name=method.full_name,
        request=method.request.full_name,
        response=method.response.full_name,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        audience=policy.audience,
        scopes=tuple(method.policy.scopes) if policy.audience is Audience.USER else (),
        clients=policy.clients if exposed else (),
        safety=method.safety,
        timeout=policy.timeout,
        retry=_retry(method),
        rate_limit=policy.rate_limit,
        max_request_bytes=method.policy.max_request_bytes or DEFAULT_MAX_REQUEST_BYTES,
        errors=tuple(filter(None, errors)),
        rest=rest_bindings(method) if exposed else (),
        deprecated=method.deprecated,
        origin=method.origin,
        origins=origins,
    )


def _retry(method: MethodDeclaration) -> RetryPolicy | None:
    asked = method.policy.retry.max_attempts
    if method.streaming or asked == 1:
        return None
    after_response = method.safety.repeatable
    return (
        RetryPolicy(max_attempts=asked, after_response=after_response)
        if asked
        else RetryPolicy(after_response=after_response)
    )


def duration(text: str) -> timedelta | None:
    """The duration, or None where there is none or it is malformed."""
    try:
        return parse_duration(text) if text else None
    except ValueError:
        return None
