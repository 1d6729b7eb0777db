"""The whole OpenAPI document of a mesh."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor

from protomesh.model import Method, RestBinding, Topology
from protomesh.targets.openapi.contracts import Contracts
from protomesh.targets.openapi.operation import TOKEN, openapi_path, operation
from protomesh.targets.openapi.responses import SHARED
from protomesh.targets.openapi.schema import WELL_KNOWN, Schemas

__all__ = ["document"]

_VERBS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def document(topology: Topology, contracts: Contracts) -> dict[str, Any]:
    """Describes every exposed method that REST reaches.

    https://spec.openapis.org/oas/v3.1.1. `info.version` is a hash of everything else: it changes when the document
    does. Custom verbs, which OpenAPI has no word for, are left out.
    """
    bound = [(method, number, binding) for method in _methods(topology) for number, binding in _bindings(method)]
    answered = _reached(contracts.message(method.response) for method, _, _ in bound)
    schemas = Schemas(contracts, answered | {"google.rpc.Status"})
    paths: dict[str, dict[str, Any]] = {}
    for method, number, binding in bound:
        described = operation(topology, method, binding, number, contracts, schemas)
        paths.setdefault(openapi_path(binding.template), {})[binding.verb.lower()] = described
    schemas.of_message(contracts.message("google.rpc.Status"))
    tags = sorted({service for item in paths.values() for op in item.values() for service in op["tags"]})
    found: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {"title": topology.name, "version": ""},
        "servers": [{"url": "/"}],
        "tags": [_tag(name, contracts) for name in tags],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components(), "responses": dict(SHARED)},
    }
    if any("security" in op for item in paths.values() for op in item.values()):
        found["components"]["securitySchemes"] = {TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    found["info"]["version"] = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]
    return found


def _methods(topology: Topology) -> Iterable[Method]:
    return (method for _, method in topology.exposed())


def _bindings(method: Method) -> Iterable[tuple[int, RestBinding]]:
    enabled = [binding for binding in method.rest if binding.enabled]
    return [(number, binding) for number, binding in enumerate(enabled) if binding.verb.lower() in _VERBS]


def _tag(service: str, contracts: Contracts) -> dict[str, str]:
    comment = contracts.comment(service)
    return {"name": service} | ({"description": comment} if comment else {})


def _reached(messages: Iterable[Descriptor]) -> frozenset[str]:
    """The full names of messages and of all that their fields hold."""
    found: set[str] = set()
    waiting = list(messages)
    while waiting:
        message = waiting.pop()
        if message.full_name in found or message.full_name in WELL_KNOWN:
            continue
        found.add(message.full_name)
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return frozenset(found)
