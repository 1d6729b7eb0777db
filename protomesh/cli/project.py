"""The project that the command works on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protomesh.cli.exits import ExitCode, Failure
from protomesh.model import Layout
from protomesh.supervisor.layout import layout_for

if TYPE_CHECKING:
    from protomesh.contract import Compilation

__all__ = ["MESH_YAML", "Project"]

MESH_YAML = "mesh.yaml"


@dataclass(frozen=True, slots=True)
class Project:
    """A directory with a mesh.yaml, and where its mesh keeps its sockets and files."""

    root: Path
    layout: Layout

    @classmethod
    def find(cls, directory: Path | None) -> "Project":
        """The project in `directory`, or else in the working directory or the nearest one above it.

        Raises:
            Failure: there is no mesh.yaml.
        """
        if directory is not None:
            if not (directory / MESH_YAML).is_file():
                raise Failure(
                    f"there is no {MESH_YAML} in {directory}. `protomesh init DIR` makes one.", ExitCode.INVALID
                )
            return cls(directory.resolve(), layout_for(directory))
        here = Path.cwd()
        for candidate in (here, *here.parents):
            if (candidate / MESH_YAML).is_file():
                return cls(candidate, layout_for(candidate))
        raise Failure(
            f"there is no {MESH_YAML} here or above. Go to a project, name one with --project, or make one with "
            "`protomesh init DIR`.",
            ExitCode.INVALID,
        )

    def compile(self, environment: str = "base") -> "Compilation":
        """Reads the contracts and mesh.yaml.

        Raises:
            Failure: with every problem, one a line.
        """
        from protomesh.contract import compile_project  # noqa: PLC0415 - not every verb compiles
        from protomesh.diagnostics import InvalidProject  # noqa: PLC0415

        try:
            return compile_project(self.root, environment=environment)
        except InvalidProject as invalid:
            raise Failure(problems_text(list(map(str, invalid.problems))), ExitCode.INVALID) from invalid

    def relative(self, path: Path) -> Path:
        """`path` as it reads from the project's directory."""
        return path.relative_to(self.root) if path.is_relative_to(self.root) else path


def problems_text(lines: list[str]) -> str:
    """Problems one a line, and how many there are."""
    count = f"{len(lines)} problem{'s' if len(lines) != 1 else ''}"
    return "\n".join([*lines, "", f"{count}. Nothing was started or changed."])
