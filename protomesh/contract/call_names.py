"""`calls` of mesh.yaml: "catalog", "inventory/Reserve", "inventory/InventoryService.Reserve"."""

from collections.abc import Iterable

from protomesh.contract.annotations import MethodDeclaration

__all__ = ["matching", "split_call"]


def split_call(text: str) -> tuple[str, str]:
    """The service called and the method named, "" for all of its methods."""
    service, _, method = text.partition("/")
    return service, method


def matching(method: str, served: Iterable[MethodDeclaration]) -> list[MethodDeclaration]:
    """The served methods that a name means; more than one where only Service.Method tells them apart."""
    return [m for m in served if method in {m.name, m.full_name.rpartition(".")[2].replace("/", "."), m.full_name}]
