"""Everything in `generated/` that the contracts and mesh.yaml make: what is there and what should be."""

from collections.abc import Mapping
from pathlib import Path

from protomesh.atomic_file import write_atomically
from protomesh.cli.project import Project
from protomesh.contract import compile_project
from protomesh.contract.generate import generate_python
from protomesh.contract.include import materialize
from protomesh.targets.envoy import review

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
    review = _review(project)
    return sorted([*generate_python(project.root, write=write), *_replace(project, review, write=write)])


def _review(project: Project) -> Mapping[str, str]:
    """Envoy's configuration in the base environment with no variable set: the same on every machine."""
    return review(compile_project(project.root, variables={}).topology)


def _replace(project: Project, files: Mapping[str, str], *, write: bool) -> list[Path]:
    target = project.root / "generated" / "envoy"
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
