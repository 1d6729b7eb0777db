"""What a service imports: the mesh as its code sees it.

It owns the serving and calling sides of gRPC in a service's process. In go a composition root, the contracts' own
descriptors and the `PROTOMESH_*` environment; out come a server whose handlers are bare functions and clients that are
standard stubs. It is a leaf: it imports no other part of Protomesh but the generated option stubs.
"""

from protomesh.runtime.app import App
from protomesh.runtime.context import Context
from protomesh.runtime.detached import detached
from protomesh.runtime.errors import DeclaredError, StatusError
from protomesh.runtime.jobs import Job, every
from protomesh.runtime.mesh import Mesh
from protomesh.runtime.settings import InvalidSettings, Secret
from protomesh.runtime.user import User

__all__ = [
    "App",
    "Context",
    "DeclaredError",
    "InvalidSettings",
    "Job",
    "Mesh",
    "Secret",
    "StatusError",
    "User",
    "detached",
    "every",
]
