"""REST bindings: what google.api.http makes of a method, and what Envoy takes of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from protomesh.contract.annotations import MethodDeclaration
from protomesh.contract.httprule import Pattern, Template, parse_template, refusal
from protomesh.model import Origin, RestBinding

__all__ = ["Binding", "read_bindings", "rest_bindings"]

_HTTP_BODY = "google.api.HttpBody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A binding with what is wrong with it, if anything is."""

    pattern: Pattern
    template: Template | None = None  # None if malformed
    malformed: str | None = None
    refused: str | None = None  # legal, but Envoy would refuse the whole configuration for it
    origin: Origin


def read_bindings(method: MethodDeclaration) -> Iterator[Binding]:
    """Reads each binding of a method in the order they are written."""
    for pattern, origin in method.bindings:
        try:
            template = parse_template(pattern.template)
        except ValueError as malformed:
            yield Binding(pattern=pattern, malformed=str(malformed), origin=origin)
            continue
        if not pattern.method:
            yield Binding(pattern=pattern, malformed="its custom pattern has no kind", origin=origin)
            continue
        refused = refusal(template) or _refused_response(method, pattern)
        yield Binding(pattern=pattern, template=template, refused=refused, origin=origin)


def rest_bindings(method: MethodDeclaration) -> tuple[RestBinding, ...]:
    """The bindings as the model holds them; those that Envoy refuses are not enabled."""
    return tuple(
        RestBinding(
            verb=binding.pattern.method,
            template=binding.pattern.template,
            body=binding.pattern.body,
            response_body=binding.pattern.response_body,
            enabled=binding.refused is None,
            origin=binding.origin,
        )
        for binding in read_bindings(method)
        if binding.malformed is None
    )


def _refused_response(method: MethodDeclaration, pattern: Pattern) -> str | None:
    """Envoy 1.40: 'Setting "response_body" is not supported yet for non-HttpBody fields'."""
    field = method.response.fields.get(pattern.response_body)
    if field is None or (field.message == _HTTP_BODY and not field.repeated):
        return None
    return f"response_body {pattern.response_body!r} is not a google.api.HttpBody"
