"""Who vouches for callers: USER methods need an issuer, and the mesh must be able to hear its keys."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule, did_you_mean
from protomesh.diagnostics import Severity
from protomesh.model import Audience

__all__ = ["RULES", "check"]

ISSUER_UNKNOWN = Rule(id="ISSUER_UNKNOWN", means="auth.jwks.service is no service that the mesh starts.")
NO_ISSUER = Rule(
    id="NO_ISSUER",
    means="A method is for callers with a token, and mesh.yaml names nobody who issues one.",
    severity=Severity.WARNING,
    required=False,
)
RULES = (ISSUER_UNKNOWN, NO_ISSUER)


def check(project: Project, report: Report) -> None:
    """Checks `auth` of mesh.yaml against what needs it."""
    auth = project.mesh.file.auth
    if auth is None:
        for _, method, resolved in project.methods():
            if resolved.declared is Audience.USER:
                origin = method.origins.get("audience", method.origin)
                message = f"nobody can call {method.full_name}: it needs a token, and mesh.yaml has no auth"
                hint = "Add auth: {issuer: ..., audience: ..., jwks: {service: ...}} to mesh.yaml."
                report.add(NO_ISSUER, origin, message, hint)
        return
    if auth.jwks.service is None:
        return
    services, name = project.mesh.file.services, auth.jwks.service
    origin = project.mesh.origin("auth", "jwks", "service")
    if name not in services:
        hint = did_you_mean(name, services, "Add the service that issues tokens to mesh.yaml.")
        report.add(ISSUER_UNKNOWN, origin, f"the keys come from {name!r}, which is no service of the mesh", hint)
    elif services[name].address is not None:
        message = f"the keys come from {name}, which runs elsewhere and has no egress to publish them through"
        report.add(ISSUER_UNKNOWN, origin, message, "Name a service with run: or command:.")
