"""What a rule looks at: the whole project at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protomesh.contract.annotations import Contract, MethodDeclaration, ServiceDeclaration
from protomesh.contract.mesh_yaml import Mesh
from protomesh.contract.policies import Resolved
from protomesh.model import Gateway

__all__ = ["Project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Contracts, mesh.yaml, and the policy that both together give each method."""

    root: Path
    contract: Contract
    mesh: Mesh
    resolved: Mapping[str, Resolved]  # by full name of the method
    gateways: tuple[Gateway, ...]

    def methods(self) -> Iterator[tuple[ServiceDeclaration, MethodDeclaration, Resolved]]:
        """Yields every method of the contracts as it was declared and as it was resolved."""
        for service, method in self.contract.methods():
            yield service, method, self.resolved[method.full_name]

    def served_by(self, service: str) -> list[MethodDeclaration]:
        """Every method that a service of mesh.yaml serves."""
        names = self.mesh.file.services[service].serves
        return [m for name in names if name in self.contract.services for m in self.contract.services[name].methods]
