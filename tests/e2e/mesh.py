"""A mesh that a test starts and looks at from outside: by the command, by the network and by the operating system."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

COMMAND = Path(sys.executable).with_name("protomesh")
ROOT = Path(__file__).resolve().parents[2]
SHOP = ("generated", "mesh.yaml", "protos", "services", "envoy")  # what the shop of this repository is made of


class Mesh:
    """One project directory, with a run directory and a port that nobody else has."""

    def __init__(self, root: Path, run: Path) -> None:
        self.root = root
        self.run = run
        self.port = free_port()
        self.command: Sequence[str | Path] = [COMMAND]
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PROTOMESH_")},
            "XDG_RUNTIME_DIR": str(run),
            "PORT": str(self.port),
            "PYTHON": sys.executable,
        }

    @property
    def gateway(self) -> str:
        """Where callers reach it."""
        return f"127.0.0.1:{self.port}"

    def protomesh(
        self, *arguments: str, stdin: str | None = None, check: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Runs the command in the project's directory; what it prints is read from pipes.

        Raises:
            AssertionError: with `check`, it did not end with 0.
        """
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.root,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def call(self, method: str, request: Mapping[str, Any] | None = None, *arguments: str) -> Any:
        """What `protomesh call` answers."""
        done = self.protomesh("call", method, json.dumps(request or {}), *arguments, check=True)
        return json.loads(done.stdout)

    def status(self) -> Any:
        """What `protomesh status --json` says."""
        return json.loads(self.protomesh("status", "--json").stdout)

    def service(self, name: str) -> Any:
        """One service of the status."""
        return next(service for service in self.status()["services"] if service["name"] == name)

    def processes(self) -> list[psutil.Process]:
        """Every process that has to do with this mesh, as the operating system knows them."""
        found = []
        for process in psutil.process_iter():
            try:
                known = process.environ().get("XDG_RUNTIME_DIR") == str(self.run)
                if known and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def sockets(self) -> list[str]:
        """Unix sockets and other files in the run directory."""
        return sorted(str(path.relative_to(self.run)) for path in self.run.rglob("*") if not path.is_dir())

    def listens(self) -> bool:
        """Whether anybody takes connections on the port."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    def end(self) -> None:
        """Leaves nothing behind, also where the test has failed."""
        self.protomesh("down")
        for process in self.processes():
            process.kill()

    def masked(self, text: str) -> str:
        """`text` without what differs from run to run."""
        for pattern, word in (
            (re.escape(str(COMMAND)), "protomesh"),
            (re.escape(str(self.root.resolve())), "PROJECT"),
            (rf"{re.escape(str(self.run))}/protomesh/[0-9a-f]+", "RUN"),
            (rf"\b{self.port}\b", "PORT"),
            (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
            (r"error [0-9a-f]{12}", "error ID"),
            (r"\S+ \(PID \d+\)", "PROGRAM (PID N)"),
            (r"\d+\.\d s\b", "N.N s"),
            (r"\d\d:\d\d:\d\d", "HH:MM:SS"),
            (r"(\w+ \|.*\n)+(?=\w+ \|)", "...\n"),  # all of a traceback but its end
            (r"(protomesh\.runtime\.store: .*\n)+", "protomesh.runtime.store: ...\n"),  # the library's own migrations
            (r" {2,}(?=\S)", "  "),
        ):
            text = re.sub(pattern, word, text)
        return text


@contextmanager
def mesh_of(root: Path) -> Iterator[Mesh]:
    """The mesh of a project, not started, with a short run directory. It is down at the end, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        mesh = Mesh(root, Path(run))
        try:
            yield mesh
        finally:
            mesh.end()


def copy_shop(root: Path) -> None:
    """Makes `root` a project with the shop as it is in the repository, so that a mesh of the checkout is not met."""
    for part in SHOP:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "dist"))
        else:
            root.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / part)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], bool], what: str, limit: float = 30) -> None:
    """Waits until `condition` holds.

    Raises:
        AssertionError: it did not within `limit` seconds.
    """
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"after {limit:g} s still not: {what}"
        time.sleep(0.05)
