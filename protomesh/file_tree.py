"""Folders of generated files: what is there becomes what should be."""

import filecmp
from collections.abc import Collection
from pathlib import Path

from protomesh.atomic_file import write_atomically

__all__ = ["replace_tree"]


def replace_tree(fresh: Path, target: Path, *, write: bool = True, kept: Collection[str] = ()) -> list[Path]:
    """Makes `target` hold what `fresh` holds, file by file; returns the files that changed, sorted.

    A file that is as it should be is not written again, so its modification time stays. One that is not in `fresh` is
    removed, but for those below the names in `kept`: what a language's own tools build there. Without `write` nothing
    changes: the files are those that would.
    """
    made = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    changed: list[Path] = []
    for name in sorted(made):
        old, new = target / name, fresh / name
        if old.is_file() and filecmp.cmp(old, new, shallow=False):
            continue
        changed.append(old)
        if write:
            old.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(old, new.read_bytes())
    there = [path for path in target.rglob("*") if path.relative_to(target).parts[0] not in kept]
    stale = [path for path in there if path.is_file() and path.relative_to(target) not in made]
    changed += [path for path in stale if "__pycache__" not in path.parts]
    if not write:
        return sorted(changed)
    for path in stale:
        path.unlink()
    for folder in sorted((path for path in there if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return sorted(changed)
