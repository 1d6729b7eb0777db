"""What Envoy is told about a mesh: pure functions from the model to plain dicts in the words of Envoy's API.

Takes a Topology and a Layout, gives resources. Imports the model, nothing that talks, and no generated code.
"""

from protomesh.targets.envoy.bootstrap import bootstrap, static_bootstrap
from protomesh.targets.envoy.configuration import Configuration, Rendered
from protomesh.targets.envoy.endpoints import load_assignment
from protomesh.targets.envoy.names import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, RESERVED, ROUTES
from protomesh.targets.envoy.render import render

__all__ = [
    "CLUSTER",
    "ENDPOINTS",
    "EXTENSION",
    "LISTENER",
    "RESERVED",
    "ROUTES",
    "Configuration",
    "Rendered",
    "bootstrap",
    "load_assignment",
    "render",
    "static_bootstrap",
]
