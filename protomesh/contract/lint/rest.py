"""REST: templates that parse, fields that exist, no two methods on one path, nothing that Envoy refuses."""

from collections.abc import Iterator

from protomesh.contract.annotations import MethodDeclaration
from protomesh.contract.lint.project import Project
from protomesh.contract.messages import Message
from protomesh.contract.report import Report, Rule
from protomesh.contract.rest import Binding, read_bindings
from protomesh.diagnostics import Severity
from protomesh.model import Audience

__all__ = ["RULES", "check"]

REST_TEMPLATE_MALFORMED = Rule(
    id="REST_TEMPLATE_MALFORMED", means="A path template does not keep to the grammar of google/api/http.proto."
)
REST_TEMPLATE_REFUSED = Rule(
    id="REST_TEMPLATE_REFUSED",
    means="A binding is legal and Envoy does not take it. That binding is left out; all else of the method works.",
    severity=Severity.WARNING,
    required=False,
)
REST_UNKNOWN_FIELD = Rule(
    id="REST_UNKNOWN_FIELD", means="A binding names a field that the message does not have, or that it can't hold."
)
REST_PATHS_CLASH = Rule(id="REST_PATHS_CLASH", means="Two methods answer the same verb on the same paths.")
INTERNAL_WITH_REST = Rule(
    id="INTERNAL_WITH_REST",
    means="A method has a REST path and audience INTERNAL: it does not exist at the edge, so the path never answers.",
    required=False,
)
RULES = (
    REST_TEMPLATE_MALFORMED,
    REST_TEMPLATE_REFUSED,
    REST_UNKNOWN_FIELD,
    REST_PATHS_CLASH,
    INTERNAL_WITH_REST,
)

_OWN = ("/healthz",)


def check(project: Project, report: Report) -> None:
    """Checks the google.api.http annotations."""
    taken: dict[tuple[str, str], tuple[MethodDeclaration, Binding]] = {}
    served = {name for service in project.mesh.file.services.values() for name in service.serves}
    for service, method, resolved in project.methods():
        if method.bindings and resolved.declared is Audience.INTERNAL:
            hint = "Add audience: AUDIENCE_PUBLIC or AUDIENCE_USER, or remove google.api.http."
            message = f"{method.full_name} is INTERNAL and has a REST path"
            report.add(INTERNAL_WITH_REST, method.bindings[0][1], message, hint)
        for binding in read_bindings(method):
            _check_binding(project, method, binding, report)
            if binding.template is None or binding.refused or service.full_name not in served:
                continue
            if resolved.method.audience is Audience.INTERNAL:
                continue
            if binding.template.shape in _OWN:
                message = f"{binding.pattern.template} of {method.full_name} is a path of the edge's own"
                report.add(REST_PATHS_CLASH, binding.origin, message, "Change the path.")
            key = (binding.pattern.method, binding.template.shape)
            other, theirs = taken.setdefault(key, (method, binding))
            if theirs is not binding:
                message = (
                    f"{binding.pattern.method} {binding.pattern.template} of {method.full_name} matches what "
                    f"{theirs.pattern.template} of {other.full_name} ({theirs.origin}) matches"
                )
                report.add(REST_PATHS_CLASH, binding.origin, message, "Change the path of one of them.")


def _check_binding(project: Project, method: MethodDeclaration, binding: Binding, report: Report) -> None:
    pattern = binding.pattern
    if binding.malformed is not None:
        message = f"{pattern.template!r} is not a path template: {binding.malformed}"
        hint = 'Write it as "/v1/products/{product_id}"; the grammar is in google/api/http.proto.'
        report.add(REST_TEMPLATE_MALFORMED, binding.origin, message, hint)
        return
    if binding.refused is not None:
        message = (
            f"Envoy does not take {pattern.method} {pattern.template} of {method.full_name}: {binding.refused}; "
            "this binding is left out"
        )
        report.add(REST_TEMPLATE_REFUSED, binding.origin, message, "Write the path without it, or remove the binding.")
    for wrong in _wrong_fields(project, method, binding):
        message = f"{pattern.method} {pattern.template} of {method.full_name}: {wrong}"
        report.add(REST_UNKNOWN_FIELD, binding.origin, message, "Name a field of the message, or add it.")


def _wrong_fields(project: Project, method: MethodDeclaration, binding: Binding) -> Iterator[str]:
    request, response = method.request, method.response
    for path in binding.template.variables if binding.template else ():
        if wrong := _wrong_variable(project, request, path):
            yield wrong
    body, response_body = binding.pattern.body, binding.pattern.response_body
    if body not in {"", "*"} and body not in request.fields:
        yield f"{request.full_name} has no field {body!r} for the body"
    if response_body and response_body not in response.fields:
        yield f"{response.full_name} has no field {response_body!r} for the response's body"


def _wrong_variable(project: Project, message: Message | None, path: str) -> str | None:
    """Why a field path can't be in a URL: "must not refer to any repeated or mapped field" (google/api/http.proto)."""
    *outer, last = path.split(".")
    for name in outer:
        if message is None:
            return None
        field = message.fields.get(name)
        if field is None or field.repeated or not field.message:
            return f"{message.full_name} has no message field {name!r}, which {path!r} names"
        message = project.contract.messages.get(field.message)
    if message is None:
        return None
    field = message.fields.get(last)
    if field is None:
        return f"{message.full_name} has no field {last!r}"
    return (
        f"the field {path!r} is repeated or a message and can't be in a path"
        if field.repeated or field.message
        else None
    )
