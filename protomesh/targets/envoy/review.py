"""The configuration as it is committed for review: a diff of it says what a change of a contract does in Envoy."""

import base64
import hashlib
from pathlib import PurePosixPath
from typing import Any

from protomesh.model import Layout, Topology
from protomesh.targets.envoy.configuration import Configuration
from protomesh.targets.envoy.names import CLUSTER, EXTENSION, LISTENER, ROUTES
from protomesh.targets.envoy.render import render
from protomesh.targets.envoy.yaml import dump

__all__ = ["readable", "review"]

_FILES = {
    "clusters.yaml": CLUSTER,
    "filters.yaml": EXTENSION,
    "listeners.yaml": LISTENER,
    "routes.yaml": ROUTES,
}
_LAYOUT = Layout(run=PurePosixPath("$RUN"), state=PurePosixPath("$STATE"))
_HEADER = "# Made from the contracts and mesh.yaml by `make proto`. A change here is what Envoy will do differently.\n"


def review(topology: Topology) -> dict[str, str]:
    """Texts by file name, one file for each kind of resource; no run's paths are in them.

    Descriptors are stood for by their hash: their source is the contract itself.
    """
    configuration = render(topology, _LAYOUT)
    return {name: _HEADER + dump(readable(configuration, type_url)) for name, type_url in _FILES.items()}


def readable(configuration: Configuration, type_url: str) -> dict[str, Any]:
    """The resources of one type by name, sorted, each without its name and with nothing that only a machine reads."""
    return {
        resource.name: {key: _shorten(value) for key, value in resource.body.items() if key != "name"}
        for resource in sorted(configuration.of(type_url), key=lambda resource: resource.name)
    }


def _shorten(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorten(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _shorten(item) for key, item in value.items()}
    if "proto_descriptor_bin" in result:
        content = base64.b64decode(result["proto_descriptor_bin"])
        result["proto_descriptor_bin"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return result
