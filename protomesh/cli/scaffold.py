"""Lays down the smallest project that runs, for `protomesh init`.

The files are those of the folder `template`, beside this module. In them `{{name}}` stands for the project's name and
`{{version}}` for the installed version of Protomesh; nothing else is changed, so the template reads as what it makes.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

__all__ = ["Occupied", "lay_down", "project_name"]


class Occupied(Exception):  # noqa: N818 - it names a state of the user's directory, not a failure of ours
    """The directory already has files that the project would overwrite; the text names them and the way out."""

    def __init__(self, target: Path, existing: list[str]) -> None:
        self.existing = existing
        super().__init__(
            f"{target} already has {', '.join(existing)}. "
            "Nothing was written: name a new directory, or move what is there."
        )


def project_name(target: Path) -> str:
    """A name for the mesh, made from that of its directory: as mesh.yaml wants it, a letter first and at most 32."""
    name = re.sub(r"[^a-z0-9]+", "-", target.resolve().name.lower()).strip("-")
    return (name if name[:1].isalpha() else f"mesh-{name}")[:32].rstrip("-")


def lay_down(target: Path, name: str | None = None) -> list[Path]:
    """Writes a new project into a directory, made if need be, and returns its files, sorted.

    Files that are there already stay as they are; if one of them is in the way, nothing is written and Occupied is
    raised. A target that is a file raises NotADirectoryError.
    """
    words = {"{{name}}": name or project_name(target), "{{version}}": metadata.version("protomesh")}
    project = dict(_read(files("protomesh.cli") / "template", PurePosixPath()))
    if existing := sorted(str(path) for path in project if (target / path).exists()):
        raise Occupied(target, existing)
    written = []
    for path, text in sorted(project.items()):
        filled_in = re.sub(r"{{\w+}}", lambda word: words[word[0]], text)
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(filled_in, encoding="utf-8")
        written.append(target / path)
    return written


def _read(folder: Traversable, above: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    """Yields every file of the template. pip compiles the .py files among them where it installs them."""
    for entry in folder.iterdir():
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _read(entry, above / entry.name)
        else:
            yield above / entry.name, entry.read_text(encoding="utf-8")
