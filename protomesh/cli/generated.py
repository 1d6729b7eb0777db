"""Everything in `generated/` that the contracts and mesh.yaml make: what is there and what should be."""

import json
from collections.abc import Mapping
from pathlib import Path

from protomesh.atomic_file import write_atomically
from protomesh.cli.project import Project
from protomesh.contract import compile_project
from protomesh.contract.generate import generate_python
from protomesh.contract.include import materialize
from protomesh.model import Topology
from protomesh.targets.envoy import review
from protomesh.targets.openapi import document

__all__ = ["generate", "stale"]


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
    # The base environment with no variable set: the same on every machine.
    topology = compile_project(project.root, variables={}).topology
    made = {"envoy": review(topology), "openapi": {"openapi.json": _openapi(topology)}}
    changed = generate_python(project.root, write=write)
    for folder, files in made.items():
        changed += _replace(project.root / "generated" / folder, files, write=write)
    return sorted(changed)


def _openapi(topology: Topology) -> str:
    return json.dumps(document(topology), indent=2, ensure_ascii=False) + "\n"


def _replace(target: Path, files: Mapping[str, str], *, write: bool) -> list[Path]:
    """Makes a folder hold these files, by name, and no others."""
    changed = [target / name for name, text in files.items() if _read(target / name) != text]
    gone = [path for path in target.rglob("*") if path.is_file() and str(path.relative_to(target)) not in files]
    if write:
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, files[str(path.relative_to(target))])
        for path in gone:
            path.unlink()
    return changed + gone


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
