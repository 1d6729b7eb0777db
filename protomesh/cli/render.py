"""`protomesh render envoy`: what Envoy is told, for people to read and review."""

import re
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from protomesh.cli.project import Project
from protomesh.model import Layout, Topology
from protomesh.targets.envoy import bootstrap, render

__all__ = ["render_envoy", "review"]

_HEADER = "# Rendered from the contracts and mesh.yaml. DO NOT EDIT.\n"
_LAYOUT = Layout(run=PurePosixPath("/run/protomesh"), state=PurePosixPath("/var/lib/protomesh"))


def render_envoy(directory: Path | None, environment: str, output: Path | None) -> None:
    """Writes one file for each resource into `output`, or everything to stdout.

    Paths of sockets are those of no run in particular, so that the same project gives the same text everywhere.
    """
    topology = Project.find(directory).compile(environment).topology
    files = review(topology)
    if output is None:
        for name, text in files.items():
            sys.stdout.write(f"---\n# {name}\n{text.removeprefix(_HEADER)}")
        return
    for name, text in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(text)
    print(f"{len(files)} files are in {output}")


def review(topology: Topology) -> Mapping[str, str]:
    """Everything that Envoy is told, as YAML by file name: `cluster/catalog.yaml`. Sorted."""
    files = {"bootstrap.yaml": _yaml(bootstrap(topology, _LAYOUT, {}))}
    for resource in render(topology, _LAYOUT).resources():
        folder = re.sub(r"(?<!^)(?=[A-Z])", "_", resource.type_url.rpartition(".")[2]).lower()
        files[f"{folder}/{resource.name}.yaml"] = _yaml(resource.body)
    return dict(sorted(files.items()))


def _yaml(body: Any) -> str:
    yaml = YAML()
    yaml.width = 120
    yaml.default_flow_style = False
    yaml.representer.ignore_aliases = lambda _: True
    out = StringIO()
    yaml.dump(_shortened(body), out)
    return _HEADER + out.getvalue()


def _shortened(value: Any) -> Any:
    """The same without descriptor sets: their base64 is no reading, and the contracts lie next to it."""
    if isinstance(value, dict):
        return {
            key: f"<{len(item)} characters of base64>" if key == "proto_descriptor_bin" else _shortened(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value]
    return value
