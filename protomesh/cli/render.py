"""`protomesh render envoy`: what Envoy is told, for people to read and review."""

import sys
from pathlib import Path

from protomesh.cli.project import Project
from protomesh.targets.envoy import review

__all__ = ["render_envoy"]


def render_envoy(directory: Path | None, environment: str, output: Path | None) -> None:
    """Writes one file for each kind of resource into `output`, or everything to stdout.

    Paths of sockets are those of no run in particular, so that the same project gives the same text everywhere.
    """
    files = review(Project.find(directory).compile(environment).topology)
    if output is None:
        for name, text in files.items():
            sys.stdout.write(f"--- # {name}\n{text}")
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (output / name).write_text(text, encoding="utf-8")
    print(f"{len(files)} files are in {output}")
