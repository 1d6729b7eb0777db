"""The front end: contracts, their annotations and mesh.yaml become one validated `Topology`.

In go the .proto files below `protos/` and mesh.yaml; out come a `Compilation`, or `InvalidProject` with every problem
found. It imports `model` and `diagnostics` and no other part.
"""

from protomesh.contract.compiler import Compilation, compile_project

__all__ = ["Compilation", "compile_project"]
