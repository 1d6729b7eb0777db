"""What Envoy is told about a mesh: pure functions from the model to plain dicts in the words of Envoy's API.

Takes a Topology and a Layout, gives resources. Imports the model, nothing that talks, and no generated code.
"""

from protomesh.targets.envoy.bootstrap import bootstrap, static_bootstrap
from protomesh.targets.envoy.configuration import Configuration, Rendered
from protomesh.targets.envoy.endpoints import load_assignment
from protomesh.targets.envoy.inside_tls import SECRETS as INSIDE_SECRETS
from protomesh.targets.envoy.inside_tls import inside_secrets
from protomesh.targets.envoy.names import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, RESERVED, ROUTES, SECRET
from protomesh.targets.envoy.overrides import Override
from protomesh.targets.envoy.overrides import apply as apply_overrides
from protomesh.targets.envoy.overrides import load as load_overrides
from protomesh.targets.envoy.page import Page, Pages
from protomesh.targets.envoy.render import render
from protomesh.targets.envoy.review import readable, review
from protomesh.targets.envoy.tls import authorities, certificate, needed
from protomesh.targets.envoy.upstream_tls import needed_upstream, server_authorities
from protomesh.targets.envoy.yaml import dump, read_overlay

__all__ = [
    "CLUSTER",
    "ENDPOINTS",
    "EXTENSION",
    "INSIDE_SECRETS",
    "LISTENER",
    "RESERVED",
    "ROUTES",
    "SECRET",
    "Configuration",
    "Override",
    "Page",
    "Pages",
    "Rendered",
    "apply_overrides",
    "authorities",
    "bootstrap",
    "certificate",
    "dump",
    "inside_secrets",
    "load_assignment",
    "load_overrides",
    "needed",
    "needed_upstream",
    "read_overlay",
    "readable",
    "render",
    "review",
    "server_authorities",
    "static_bootstrap",
]
