"""`protomesh explain`: what holds for a method, and who said so."""

import asyncio
import json as json_
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.connection import get_status
from protomesh.cli.methods import resolve
from protomesh.cli.project import Project
from protomesh.model import Audience, Method, Service, Topology
from protomesh.targets.envoy import LISTENER, ROUTES, Configuration, render

__all__ = ["explain"]

_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One policy, as people read it, and the line that set it."""

    name: str
    value: str
    source: str


def explain(directory: Path | None, environment: str, method: str, *, json: bool) -> None:
    """Prints the effective policy of a method, the line that set each value, and the Envoy routes that carry it.

    If the mesh runs, also whether Envoy has acknowledged those.
    """
    project = Project.find(directory)
    topology = project.compile(environment).topology
    full_name = resolve(method, [m.full_name for _, m in topology.methods()])
    found = topology.find(full_name)
    assert found is not None, "it was chosen from the topology"
    service, resolved = found
    values = [*_policy(resolved), *_callers(topology, service, resolved)]
    routes = _routes(render(topology, project.layout), resolved)
    status = asyncio.run(get_status(project.layout))
    state = _state(status)
    print(_json(service, resolved, values, routes, state) if json else _text(service, resolved, values, routes, state))


def _policy(method: Method) -> list[_Value]:
    origin = {name: str(where) for name, where in method.origins.items()}

    def row(name: str, value: str, key: str | None = None) -> _Value:
        return _Value(name=name, value=value, source=origin.get(key or name, _DEFAULT))

    retry = method.retry
    repeats = (
        "never"
        if retry is None
        else f"{retry.max_attempts} tries, "
        + ("also after UNAVAILABLE and broken connections" if retry.after_response else "only where nothing was sent")
    )
    limit = method.rate_limit
    rows = [
        row("audience", method.audience.value),
        row("timeout", _seconds(method.timeout) if method.timeout else "none"),
        row("safety", method.safety.value),
        row("retry", repeats),
        row("max_request_bytes", str(method.max_request_bytes)),
        row("rate_limit", f"{limit.requests} each {_seconds(limit.per)}" if limit else "none"),
    ]
    if method.scopes:
        rows.append(row("scopes", " ".join(method.scopes)))
    rows += [row("client", name, "clients") for name in method.clients]
    rows += [_Value(name="error", value=name, source=str(method.origin)) for name in method.errors]
    rows += [
        _Value(name="rest", value=f"{b.verb} {b.template}{'' if b.enabled else ' (off)'}", source=str(b.origin))
        for b in method.rest
    ]
    return rows


def _callers(topology: Topology, service: Service, method: Method) -> Iterator[_Value]:
    """Who may call, and the line that lets them."""
    audience = str(method.origins.get("audience", _DEFAULT))
    certificate = " with a certificate" if method.clients else ""
    if method.audience is Audience.PUBLIC:
        yield _Value(name="callers", value=f"anybody{certificate} at the edge", source=audience)
    elif method.audience is Audience.USER:
        scopes = f" with the scopes {' '.join(method.scopes)}" if method.scopes else ""
        who = (
            f"users{certificate} at the edge{scopes}" if topology.auth else "nobody at the edge: mesh.yaml has no auth"
        )
        yield _Value(name="callers", value=who, source=audience)
    for caller in topology.services.values():
        for call in caller.calls:
            if call.service == service.name and call.covers(method.full_name):
                yield _Value(name="callers", value=caller.name, source=str(call.origin))
    yield _Value(name="callers", value="the operator, by a socket of this user", source=_DEFAULT)


def _routes(rendered: Configuration, method: Method) -> list[dict[str, Any]]:
    """Where Envoy's configuration carries the method: listener, route, and what its action says."""
    rows = []
    for resource in rendered.of(ROUTES):
        action = _find(resource.body, method.path)
        if action is not None:
            rows.append({"listener": resource.name, "route": method.full_name, **_shown(action)})
    return rows


def _find(value: Any, path: str) -> Any:
    """The route below the exact match for `path` in a matcher tree, wherever that is."""
    if isinstance(value, dict):
        match = value.get("exact_match_map")
        if isinstance(match, dict) and path in match.get("map", {}):
            return match["map"][path]
        return next((found for item in value.values() if (found := _find(item, path)) is not None), None)
    if isinstance(value, list):
        return next((found for item in value if (found := _find(item, path)) is not None), None)
    return None


def _shown(action: Any) -> dict[str, Any]:
    """Cluster, timeouts and retries of a route, wherever Envoy's wrappers hide it."""
    if isinstance(action, dict):
        if isinstance(action.get("route"), dict):
            keys = ("cluster", "timeout", "idle_timeout", "priority", "retry_policy", "max_stream_duration")
            shown = {key: action["route"][key] for key in keys if key in action["route"]}
            if isinstance(retry := shown.pop("retry_policy", None), dict):
                shown |= {key: retry[key] for key in ("retry_on", "num_retries") if key in retry}
            return shown
        for item in action.values():
            if shown := _shown(item):
                return shown
    return {}


def _state(status: admin.Status | None) -> str:
    if status is None:
        return "not running"
    kinds = {c.type_url: c for c in status.proxy.configuration if c.type_url in {LISTENER, ROUTES}}
    pending = [
        f"{c.resources - c.acknowledged} {url.rpartition('.')[2]}"
        for url, c in kinds.items()
        if c.acknowledged != c.resources
    ]
    refused = [f"{r.origin or r.resource}: {r.reason}" for c in kinds.values() for r in c.rejections]
    if refused:
        return "refused: " + "; ".join(refused)
    return f"waiting for Envoy: {', '.join(pending)}" if pending else "acknowledged by Envoy"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():g} s"


def _text(service: Service, method: Method, values: list[_Value], routes: list[dict[str, Any]], state: str) -> str:
    lines = [f"{method.full_name}  served by {service.name}  {method.origin}", ""]
    widths = [max(len(v.name) for v in values), max(len(v.value) for v in values)]
    lines += [f"  {v.name:{widths[0]}}  {v.value:{widths[1]}}  {v.source}" for v in values]
    lines += ["", f"Envoy: {state}"]
    for route in routes:
        lines.append(f"  {route['listener']}")
        lines += [f"    {key}: {_flat(value)}" for key, value in route.items() if key != "listener"]
    return "\n".join(lines)


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json_.dumps(value)


def _json(service: Service, method: Method, values: list[_Value], routes: list[dict[str, Any]], state: str) -> str:
    policy = [{"name": v.name, "value": v.value, "source": v.source} for v in values]
    return json_.dumps(
        {
            "method": method.full_name,
            "service": service.name,
            "origin": str(method.origin),
            "policy": policy,
            "envoy": {"state": state, "routes": routes},
        },
        indent=2,
    )
