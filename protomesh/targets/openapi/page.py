"""The page for people: REST methods to read and try, gRPC methods with a line to call each."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files as resources

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protomesh.model import Audience, Method, Topology
from protomesh.targets.openapi.contracts import Contracts

__all__ = ["content_security_policy", "page"]

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_DEEPEST = 3


def page(topology: Topology, contracts: Contracts) -> str:
    """One page of HTML that needs nothing but `/docs/openapi.json` beside it."""
    shell = resources(__package__).joinpath("page.html").read_text(encoding="utf-8")
    methods = "\n".join(_services(topology, contracts))
    return shell.replace("@TITLE@", escape(topology.name)).replace("@GRPC@", methods or "<p>There are none.</p>")


def content_security_policy(html: str) -> str:
    """Allows the page's own script and style, by their hashes, calls to where it came from, and nothing else.

    https://www.w3.org/TR/CSP3/
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    sources = "; ".join(f"{kind}-src {' '.join(found)}" for kind, found in hashes.items() if found)
    return (
        f"default-src 'none'; {sources}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _services(topology: Topology, contracts: Contracts) -> Iterator[str]:
    for _, service in topology.rpc_services():
        exposed = [method for method in service.methods if method.exposed]
        if exposed:
            yield f"<h2>{escape(service.full_name)}</h2>"
            yield f"<p>{escape(contracts.comment(service.full_name))}</p>"
            yield from (_method(method, contracts) for method in exposed)


def _method(method: Method, contracts: Contracts) -> str:
    comment = contracts.comment(method.full_name)
    facts = [
        "a stream of requests" if method.client_streaming else "",
        "a stream of responses" if method.server_streaming else "",
        f"ends after {method.timeout.total_seconds():g} s" if method.timeout else "no deadline",
        "can be repeated" if method.safety.repeatable else "",
        f"{method.rate_limit.requests} calls in {method.rate_limit.per.total_seconds():g} s"
        if method.rate_limit
        else "",
    ]
    needs = " ".join(["token", *method.scopes]) if method.audience is Audience.USER else ""
    label = f'<span class="needs">{escape(needs)}</span>' if needs else ""
    name = f'<span class="path{" deprecated" if method.deprecated else ""}">{escape(method.name)}</span>'
    summary = escape(comment.partition(". ")[0].rstrip("."))
    return (
        f'<details><summary>{name}<span class="what">{summary}</span>{label}</summary><div>'
        f"<p>{escape(comment)}</p><p>{escape(', '.join(filter(None, facts)))}</p>"
        f'<pre class="call">{escape(_call(method, contracts))}</pre></div></details>'
    )


def _call(method: Method, contracts: Contracts) -> str:
    """The line for grpcurl. The page puts in where it came from, for GATEWAY."""
    request = _skeleton(contracts, contracts.method(method.full_name).input_type)
    token = ' -H "authorization: Bearer $TOKEN"' if method.audience is Audience.USER else ""
    body = f" -d '{json.dumps(request)}'" if request else ""
    return f"grpcurl -plaintext{token}{body} GATEWAY {method.full_name}"


def _skeleton(contracts: Contracts, message: Descriptor, depth: int = 0) -> dict[str, object]:
    """A request's required fields, to be filled in."""
    needed = [field for field in message.fields if contracts.needed(field)] if depth < _DEEPEST else []
    return {field.json_name: _placeholder(contracts, field, depth) for field in needed}


def _placeholder(contracts: Contracts, field: FieldDescriptor, depth: int) -> object:
    one: object = 0
    if field.message_type is not None:
        one = _skeleton(contracts, field.message_type, depth + 1)
    elif field.enum_type is not None:
        one = field.enum_type.values[-1].name
    elif field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
        one = ""
    elif field.type == FieldDescriptor.TYPE_BOOL:
        one = False
    return [one] if field.is_repeated else one
