"""`protomesh init`: the smallest project."""

import re
from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.scaffold import Occupied, lay_down

__all__ = ["init"]

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def init(directory: Path, name: str | None) -> None:
    """Lays down a project in a directory that is new or empty.

    Raises:
        Failure: the directory has files already, or the name can't be one of a host.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise Failure(f"{name!r} can't name a mesh: use lower case letters, digits and hyphens.", ExitCode.INVALID)
    try:
        if directory.is_dir() and any(directory.iterdir()):
            raise Failure(f"{directory} is not empty. Nothing was written: name a new directory.", ExitCode.INVALID)
        files = lay_down(directory, name)
    except (Occupied, NotADirectoryError) as error:
        text = str(error) if isinstance(error, Occupied) else f"{directory} is a file. Name a new directory."
        raise Failure(text, ExitCode.INVALID) from error
    print(f"{len(files)} files are in {directory}. Now:\n")
    print(f"  cd {directory}\n  make up")
