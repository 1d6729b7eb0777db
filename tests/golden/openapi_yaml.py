"""What a golden case is as OpenAPI."""

from protomesh.contract import Compilation
from protomesh.targets.envoy import dump
from protomesh.targets.openapi import Contracts, document

__all__ = ["openapi_yaml"]


def openapi_yaml(compilation: Compilation) -> str:
    """Paths, tags and schemas; the rest is the same for every project. Nothing where there is no REST."""
    topology = compilation.topology
    found = document(topology, Contracts(topology))
    if not found["paths"]:
        return ""
    schemas = {name: schema for name, schema in found["components"]["schemas"].items() if name != "google.rpc.Status"}
    return dump({"tags": found["tags"], "paths": found["paths"], "schemas": schemas})
