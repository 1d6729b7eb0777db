"""The rules: one file a family, each rule with its name, its meaning and its severity.

`RULES` lists them all, those of mesh.yaml's shape and of protoc included, for `protomesh:ignore` and for the docs.
"""

from collections.abc import Mapping

from protomesh.contract import gateways, ignores, mesh_yaml, policies, sources, yaml_tree
from protomesh.contract.lint import (
    access,
    auth,
    calls,
    clients,
    deadlines,
    errors,
    events,
    files,
    packages,
    paging,
    references,
    rest,
    safety,
    streams,
)
from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule

__all__ = ["RULES", "Project", "run"]

_OF_CONTRACTS = (deadlines, safety, access, rest, paging, streams, errors, events, packages)
_FAMILIES = (references, calls, auth, clients, files, *_OF_CONTRACTS)
_ELSEWHERE = (sources, yaml_tree, mesh_yaml, gateways, policies, ignores)

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rules in sorted((f.RULES for f in (*_FAMILIES, *_ELSEWHERE)), key=lambda r: r[0].id)
    for rule in rules
}


def run(project: Project, report: Report) -> None:
    """Runs every family over the project; those about contracts alone if mesh.yaml has errors."""
    for family in _FAMILIES if project.mesh.complete else _OF_CONTRACTS:
        family.check(project, report)
