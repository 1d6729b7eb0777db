"""Who vouches for callers: USER methods need an issuer, and the mesh must be able to hear its keys."""

from collections.abc import Callable

from protomesh.contract.lint.project import Project
from protomesh.contract.mesh_schema import AuthFile
from protomesh.contract.report import Report, Rule, did_you_mean
from protomesh.diagnostics import Severity
from protomesh.model import Audience

__all__ = ["RULES", "check"]

ISSUER_TWICE = Rule(
    id="ISSUER_TWICE", means="Two entries of auth can't be told apart: by issuer, by name, or by who publishes keys."
)
ISSUER_UNKNOWN = Rule(id="ISSUER_UNKNOWN", means="auth.jwks.service is no service that the mesh starts.")
NO_ISSUER = Rule(
    id="NO_ISSUER",
    means="A method is for callers with a token, and mesh.yaml names nobody who issues one.",
    severity=Severity.WARNING,
    required=False,
)
RULES = (ISSUER_TWICE, ISSUER_UNKNOWN, NO_ISSUER)

_UNIQUE: tuple[tuple[tuple[str, ...], Callable[[AuthFile], str | None], str, str], ...] = (
    (("issuer",), lambda auth: auth.issuer, "has the issuer {!r}", "Give each an issuer of its own."),
    (("name",), lambda auth: auth.name, "is called {!r}", "Give each a name of its own."),
    ((), lambda auth: "" if auth.name is None else None, "has no name", "Name one: its users are then @NAME|sub."),
    (
        ("jwks", "service"),
        lambda auth: None if auth.jwks.service is None else "",
        "has its keys from a service of the mesh",
        "Let one have them from a file or a url.",
    ),
)


def check(project: Project, report: Report) -> None:
    """Checks `auth` of mesh.yaml against what needs it."""
    if not project.mesh.file.auth:
        _nobody(project, report)
    for index in range(len(project.mesh.file.auth)):
        _publisher(project, index, report)
    for key, of, what, hint in _UNIQUE:
        first: dict[str, int] = {}
        for index, auth in enumerate(project.mesh.file.auth):
            value = of(auth)
            if value is not None and first.setdefault(value, index) != index:
                origin = project.mesh.origin("auth", index, *key)
                report.add(ISSUER_TWICE, origin, f"another entry of auth {what.format(value)}", hint)


def _nobody(project: Project, report: Report) -> None:
    for _, method, resolved in project.methods():
        if resolved.declared is Audience.USER:
            origin = method.origins.get("audience", method.origin)
            message = f"nobody can call {method.full_name}: it needs a token, and mesh.yaml has no auth"
            hint = "Add auth: {issuer: ..., audience: ..., jwks: {service: ...}} to mesh.yaml."
            report.add(NO_ISSUER, origin, message, hint)


def _publisher(project: Project, index: int, report: Report) -> None:
    services, name = project.mesh.file.services, project.mesh.file.auth[index].jwks.service
    if name is None:
        return
    origin = project.mesh.origin("auth", index, "jwks", "service")
    if name not in services:
        hint = did_you_mean(name, services, "Add the service that issues tokens to mesh.yaml.")
        report.add(ISSUER_UNKNOWN, origin, f"the keys come from {name!r}, which is no service of the mesh", hint)
    elif services[name].address is not None:
        message = f"the keys come from {name}, which runs elsewhere and has no egress to publish them through"
        report.add(ISSUER_UNKNOWN, origin, message, "Name a service with run: or command:.")
