"""Whose certificates let callers in: a method that asks for one needs a gateway that takes it."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule

__all__ = ["RULES", "check"]

CLIENTS_WITHOUT_CA = Rule(
    id="CLIENTS_WITHOUT_CA",
    means="Callers of a method have to show a certificate, and no gateway takes any.",
)
RULES = (CLIENTS_WITHOUT_CA,)


def check(project: Project, report: Report) -> None:
    """Checks that somebody can call where `overrides` name clients."""
    mesh = project.mesh
    if any(gateway.tls is not None and gateway.tls.clients is not None for gateway in mesh.file.gateways or ()):
        return
    for key, override in mesh.file.overrides.items():
        if override.clients is not None:
            message = f"nobody can call {key} at the edge: no gateway asks for certificates"
            hint = "Name their CA at a gateway, tls: {cert: ..., key: ..., clients: {ca: ...}}, or remove clients."
            report.add(CLIENTS_WITHOUT_CA, mesh.origin("overrides", key, "clients"), message, hint)
