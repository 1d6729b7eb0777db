"""Everything in `generated/` that the contracts and mesh.yaml make: what is there and what should be."""

import json
import os
import re
import tempfile
from pathlib import Path

from protomesh.cli.project import MESH_YAML, Project
from protomesh.contract import compile_project
from protomesh.contract.generate import generate_python
from protomesh.contract.include import materialize
from protomesh.file_tree import replace_tree
from protomesh.model import Topology
from protomesh.targets.envoy import review
from protomesh.targets.openapi import Contracts, document

__all__ = ["generate", "stale"]

_NEEDED = re.compile(r"\$\{([A-Za-z_]\w*)\}")


def generate(project: Project) -> list[Path]:
    """Brings `generated/` and `.protomesh/include` up to date; returns the files that changed, sorted.

    Raises:
        InvalidProject: a contract or mesh.yaml is wrong; nothing has changed.
    """
    return _update(project, write=True)


def stale(project: Project) -> list[Path]:
    """The files below `generated/` that `generate` would change, sorted. Changes none of them.

    Raises:
        InvalidProject: a contract or mesh.yaml is wrong.
    """
    return _update(project, write=False)


def _update(project: Project, *, write: bool) -> list[Path]:
    materialize(project.root)
    # The base environment with no variable set that has a default: the same on every machine.
    topology = compile_project(project.root, variables=_needed(project)).topology
    made = {"envoy": review(topology), "openapi": {"openapi.json": _openapi(topology)}}
    changed = generate_python(project.root, write=write)
    with tempfile.TemporaryDirectory(prefix="protomesh-") as temporary:
        for folder, files in made.items():
            fresh = Path(temporary) / folder
            fresh.mkdir()
            for name, text in files.items():
                (fresh / name).write_text(text, encoding="utf-8")
            changed += replace_tree(fresh, project.root / "generated" / folder, write=write)
    return sorted(changed)


def _needed(project: Project) -> dict[str, str]:
    """The variables for which mesh.yaml has no default, as far as they are set. Addresses apart, none is rendered."""
    names = _NEEDED.findall((project.root / MESH_YAML).read_text(encoding="utf-8-sig", errors="replace"))
    return {name: os.environ[name] for name in names if name in os.environ}


def _openapi(topology: Topology) -> str:
    return json.dumps(document(topology, Contracts(topology)), indent=2, ensure_ascii=False) + "\n"
