"""One REST binding as an OpenAPI operation."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protomesh.model import Audience, Method, RestBinding, Topology
from protomesh.targets.openapi.contracts import Contracts
from protomesh.targets.openapi.responses import errors
from protomesh.targets.openapi.schema import WELL_KNOWN, Schemas

__all__ = ["TOKEN", "openapi_path", "operation"]

TOKEN = "token"  # noqa: S105 - the name of the security scheme
_VARIABLE = re.compile(r"\{([^=}]+)(?:=([^}]*))?\}")
_HTTP_BODY = "google.api.HttpBody"
_STREAM = "A stream: one JSON message a line; with `accept: text/event-stream` server-sent events."


def openapi_path(template: str) -> str:
    """A path template as OpenAPI writes it: `/v1/{name=shelves/*}` is `/v1/{name}`, whose pattern its parameter has."""
    return _VARIABLE.sub(lambda match: "{" + match[1] + "}", template)


def operation(
    topology: Topology, method: Method, binding: RestBinding, number: int, contracts: Contracts, schemas: Schemas
) -> dict[str, Any]:
    """The operation of a method's binding; `number` is 0 for the first of them."""
    request = contracts.method(method.full_name).input_type
    service, _, name = method.full_name.partition("/")
    comment = contracts.comment(method.full_name)
    found: dict[str, Any] = {
        "operationId": f"{service.rpartition('.')[2]}_{name}" + (f"_{number + 1}" if number else ""),
        "tags": [service],
        "summary": comment.partition(". ")[0].partition("\n")[0].rstrip(".") or name,
    }
    if comment:
        found["description"] = comment
    if method.deprecated:
        found["deprecated"] = True
    if parameters := list(_parameters(request, binding, contracts, schemas)):
        found["parameters"] = parameters
    if body := _body(request, binding, contracts, schemas):
        found["requestBody"] = body
    found["responses"] = {"200": _answer(method, contracts, schemas), **errors(topology, method, contracts)}
    if method.audience is Audience.USER:
        found["security"] = [{TOKEN: list(method.scopes)}]
    return found


def _parameters(
    request: Descriptor, binding: RestBinding, contracts: Contracts, schemas: Schemas
) -> Iterator[dict[str, Any]]:
    in_path = dict(_VARIABLE.findall(binding.template))
    for variable, pattern in in_path.items():
        parameter = _parameter(variable, _find(request, variable), schemas) | {"in": "path", "required": True}
        if pattern and pattern != "*":
            parameter["schema"]["pattern"] = _regular(pattern)
        yield parameter
    if binding.body == "*":
        return
    for fields in _leaves(request, ()):
        path = ".".join(field.name for field in fields)
        if fields[0].name == binding.body or path in in_path:
            continue
        parameter = _parameter(".".join(field.json_name for field in fields), fields[-1], schemas) | {"in": "query"}
        if len(fields) == 1 and contracts.needed(fields[-1]):
            parameter["required"] = True
        yield parameter


def _parameter(name: str, field: FieldDescriptor, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.of_field(field)
    described = schema.pop("description", None)
    return {"name": name, **({"description": described} if described else {}), "schema": schema}


def _leaves(message: Descriptor, outer: tuple[FieldDescriptor, ...]) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Yields what a query can say, each with the fields that lead to it: not lists of messages, and not maps."""
    if message in [field.containing_type for field in outer]:
        return  # it contains itself
    for field in message.fields:
        nested = field.message_type
        if nested is None or _is_text(nested):
            yield (*outer, field)
        elif not field.is_repeated and nested.full_name not in WELL_KNOWN:
            yield from _leaves(nested, (*outer, field))


def _is_text(message: Descriptor) -> bool:
    """Whether its JSON is one value."""
    return WELL_KNOWN.get(message.full_name, {}).get("type") not in (None, "object", "array")


def _find(message: Descriptor, path: str) -> FieldDescriptor:
    first, _, rest = path.partition(".")
    field = message.fields_by_name[first]
    if not rest:
        return field
    assert field.message_type is not None, "templates are checked against their messages"
    return _find(field.message_type, rest)


def _body(request: Descriptor, binding: RestBinding, contracts: Contracts, schemas: Schemas) -> dict[str, Any] | None:
    if not binding.body:
        return None
    if binding.body == "*":
        in_path = {variable for variable, _ in _VARIABLE.findall(binding.template)}
        return {"required": True, "content": {"application/json": {"schema": schemas.of_rest(request, in_path)}}}
    field = request.fields_by_name[binding.body]
    return {"required": contracts.needed(field), "content": {"application/json": {"schema": schemas.of_field(field)}}}


def _answer(method: Method, contracts: Contracts, schemas: Schemas) -> dict[str, Any]:
    response = contracts.message(method.response)
    if response.full_name == _HTTP_BODY:
        return {"description": "Whatever the method answers.", "content": {"*/*": {}}}
    schema = schemas.of_message(response)
    if method.server_streaming:
        content = {"application/x-ndjson": {"schema": schema}, "text/event-stream": {"schema": schema}}
        return {"description": _STREAM, "content": content}
    described = contracts.comment(response.full_name) or "The response."
    return {"description": described, "content": {"application/json": {"schema": schema}}}


def _regular(pattern: str) -> str:
    """A path pattern as a regular expression: * is one segment, ** any number of them."""
    segments = [".*" if part == "**" else "[^/]+" if part == "*" else re.escape(part) for part in pattern.split("/")]
    return f"^{'/'.join(segments)}$"
