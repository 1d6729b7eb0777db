"""The programs that make clients: found on this machine, or built into the project's `.protomesh/tools`.

ToolMissing
ToolFailed
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["ToolFailed", "ToolMissing", "Tools"]


class ToolMissing(Exception):  # noqa: N818 - a state of the user's machine
    """A program is not there; the text names it and says what to install."""


class ToolFailed(Exception):  # noqa: N818 - of another program
    """A program ended with an error; the text holds what it printed."""


class Tools:
    """Finds and runs programs for the project at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / ".protomesh" / "tools"

    def find(self, program: str, hint: str) -> Path:
        """The program of that name on PATH.

        Raises:
            ToolMissing: there is none; `hint` says what to install.
        """
        found = shutil.which(program)
        if found is None:
            raise ToolMissing(f"there is no {program}: {hint}")
        return Path(found)

    def installed(self, name: str, pins: Mapping[str, str], install: Callable[[Path], None]) -> Path:
        """The folder that `install` fills; filled once for each set of pins, and never seen half full."""
        digest = hashlib.sha256(json.dumps(pins, sort_keys=True).encode()).hexdigest()[:12]
        folder = self._folder / f"{name}-{digest}"
        if folder.is_dir():
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}-new-", dir=self._folder))
        try:
            install(fresh)
            if not folder.is_dir():  # another process may have been faster
                fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return folder

    @staticmethod
    def run(arguments: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        """Runs a program to its end.

        Raises:
            ToolFailed: it did not end well.
        """
        done = subprocess.run(  # noqa: S603 - the arguments are our own
            list(map(str, arguments)),
            cwd=cwd,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = "\n".join(done.stdout.strip().splitlines()[-20:])
            raise ToolFailed(f"{Path(arguments[0]).name} failed:\n{said}")
