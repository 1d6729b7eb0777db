"""What a golden case is for Envoy."""

from pathlib import PurePosixPath
from typing import Any

from protomesh.contract import Compilation
from protomesh.model import Layout
from protomesh.targets.envoy import CLUSTER, EXTENSION, LISTENER, ROUTES, dump, readable, render

__all__ = ["envoy_yaml"]

_LAYOUT = Layout(run=PurePosixPath("$RUN"), state=PurePosixPath("$STATE"))


def envoy_yaml(compilation: Compilation) -> str:
    """Clusters, filters and routes whole; of listeners address and TLS, for nothing else in them is the project's."""
    configuration = render(compilation.topology, _LAYOUT)
    listeners = readable(configuration, LISTENER)
    return dump(
        {
            "clusters": readable(configuration, CLUSTER),
            "filters": readable(configuration, EXTENSION),
            "listeners": {name: _listens(body) for name, body in listeners.items()},
            "routes": readable(configuration, ROUTES),
        }
    )


def _listens(body: dict[str, Any]) -> dict[str, Any]:
    secured = {key: value for key, value in body["filter_chains"][0].items() if key == "transport_socket"}
    listens: dict[str, Any] = body["address"] | secured
    return listens
