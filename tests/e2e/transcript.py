"""What a person reads in a terminal, as golden files."""

import subprocess
from pathlib import Path

from tests.e2e.mesh import Mesh

TRANSCRIPTS = Path(__file__).parent / "transcripts"


class Transcript:
    """Compares what commands print with `transcripts/`, or writes it there."""

    def __init__(self, *, update: bool) -> None:
        self._update = update

    def check(self, name: str, mesh: Mesh, done: "subprocess.CompletedProcess[str]") -> None:
        """Compares one command's output and exit code with `transcripts/<name>.txt`."""
        errors = f"--- stderr\n{done.stderr}" if done.stderr else ""
        actual = mesh.masked(f"{done.stdout}{errors}--- exit code {done.returncode}\n")
        path = TRANSCRIPTS / f"{name}.txt"
        if self._update:
            path.write_text(actual)
        assert actual == path.read_text()
