"""Files that gateways answer: none in the place of a method, and not more than a configuration carries."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report
from protomesh.contract.web_files import RULES, find_files

__all__ = ["RULES", "check"]


def check(project: Project, report: Report) -> None:
    """Checks what is in the folders now; one that is not built yet is no mistake."""
    names = {name for service in project.mesh.file.services.values() for name in service.serves}
    served = [r.method for s, _, r in project.methods() if s.full_name in names and r.method.exposed]
    for gateway in project.gateways:
        for rule, diagnostic in find_files(project.root, gateway, served).problems:
            report.add(rule, diagnostic.origin, diagnostic.message, diagnostic.hint)
