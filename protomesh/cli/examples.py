"""Calls to try, made from the contracts."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protomesh.model import Audience, Gateway, Method, RestBinding, Topology

__all__ = ["command", "examples", "for_operator", "reached_at"]

_FIELD = re.compile(r"{(?P<path>[\w.]+)(?:=[^}]*)?}")
_TEXT = FieldDescriptor.CPPTYPE_STRING


def examples(topology: Topology, gateway: Gateway, authority: str) -> Iterator[str]:
    """One call by each client: of the method that needs least, and with what it needs.

    Only PUBLIC methods with one answer are looked at. Nothing where there is none. `authority` is the file of the
    development CA, for gateways that show a certificate of it.
    """
    public = [method for _, method in topology.exposed() if method.audience is Audience.PUBLIC and not method.streaming]
    if not public:
        return
    method = min(public, key=_effort)  # the first of those that are easiest
    binding = _get(method)
    request = _request(method, binding, topology)
    body = f" {shlex.quote(json.dumps(request))}" if request else ""
    yield f"{command()} call {method.full_name}{body}"
    where, trust = reached_at(gateway), f"cacert {shlex.quote(authority)} " if gateway.of_development else ""
    if gateway.reflection:
        how = "-plaintext " if gateway.tls is None else f"-{trust}" if trust else ""
        yield f"grpcurl {how}{f'-d{body} ' if body else ''}{where} {method.full_name}"
    if binding is not None:
        path = _FIELD.sub(lambda found: str(_at(request, found["path"])), binding.template)
        scheme = "http" if gateway.tls is None else "https"
        yield f"curl {f'--{trust}' if trust else ''}{shlex.quote(f'{scheme}://{where}{path}')}"


def for_operator(socket: str) -> str:
    """What lists every method with grpcurl. A path is no authority, so it needs one; which, is all the same."""
    return f"grpcurl -plaintext -unix -authority mesh {shlex.quote(socket)} list"


def reached_at(gateway: Gateway) -> str:
    """The gateway as this machine reaches it. localhost, where the development CA's certificate has to fit."""
    if gateway.of_development and gateway.listen.wildcard:
        return f"localhost:{gateway.listen.port}"
    return str(gateway.listen.from_here)


def command() -> str:
    """How the reader of this terminal calls the command again."""
    if shutil.which("protomesh") is not None:
        return "protomesh"
    program = Path(sys.argv[0]).absolute()
    here = Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else str(program)


def _effort(method: Method) -> int:
    binding = _get(method)
    return 2 if binding is None else int("{" in binding.template)


def _get(method: Method) -> RestBinding | None:
    return next((rest for rest in method.rest if rest.verb == "GET" and rest.enabled), None)


def _request(method: Method, binding: RestBinding | None, topology: Topology) -> dict[str, Any]:
    """The fields that the path names; each text is its own name, which is at least not empty."""
    request: dict[str, Any] = {}
    if binding is None or "{" not in binding.template:
        return request
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(topology.descriptors).file:
        pool.Add(file)
    for found in _FIELD.finditer(binding.template):
        place = request
        *above, last = found["path"].split(".")
        for name in above:
            place = place.setdefault(name, {})
        field = _field(pool.FindMessageTypeByName(method.request), [*above, last])
        place[last] = last if field.cpp_type == _TEXT else 1
    return request


def _field(message: Descriptor, path: list[str]) -> FieldDescriptor:
    first, *rest = path
    field = message.fields_by_name[first]
    if not rest:
        return field
    assert field.message_type is not None, "google.api.http names fields of messages only"
    return _field(field.message_type, rest)


def _at(request: Mapping[str, Any], path: str) -> Any:
    value: Any = request
    for name in path.split("."):
        value = value[name]
    return value
