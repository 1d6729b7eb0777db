import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 60

pytestmark = pytest.mark.timeout(8 * MINUTES)  # an environment is installed from nothing


@dataclass(frozen=True)
class Newcomer:
    """Somebody who has the wheel and nothing else of this repository."""

    home: Path
    environment: Path
    project: Path
    wheel: Path
    port: int

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Runs a command as they would, to its end, which has to be a good one. Returns all it printed."""
        done = subprocess.run(
            command,
            cwd=cwd or self.project,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=5 * MINUTES,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def make(self, *verbs: str) -> str:
        """Runs make with the wheel in the place of what is published."""
        return self.run("make", *verbs)

    def _variables(self) -> dict[str, str]:
        """Ours, without what leads back into the checkout. Where packages come from stays as it is."""
        unwanted = {"PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "PROTOMESH_ENVOY"}
        kept = {
            name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("XDG_")
        }
        path = [entry for entry in os.environ["PATH"].split(os.pathsep) if not Path(entry).is_relative_to(ROOT)]
        return kept | {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(path),
            "PIP_CACHE_DIR": _pip_cache(),
            "PORT": str(self.port),
            "PROTOMESH": str(self.wheel),
            "PYTHON": os.path.realpath(sys.executable),
            "VENV": str(self.environment),
        }


def _pip_cache() -> str:
    """What was downloaded once need not be again: 250 MB."""
    asked = [sys.executable, "-m", "pip", "cache", "dir"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A project that `protomesh init` of the built wheel has laid down, in a directory outside the checkout."""
    base = tmp_path_factory.mktemp("newcomer")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", base / "dist"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    newcomer = Newcomer(
        home=base / "home",
        environment=base / "environment",
        project=base / "project",
        wheel=next((base / "dist").glob("*.whl")),
        port=port,
    )
    newcomer.home.mkdir()
    python = newcomer.environment / "bin/python"
    newcomer.run(os.path.realpath(sys.executable), "-m", "venv", newcomer.environment, cwd=base)
    newcomer.run(
        python, "-m", "pip", "install", "--quiet", "--prefer-binary", f"{newcomer.wheel}[mesh,testing]", cwd=base
    )
    newcomer.run(newcomer.environment / "bin/protomesh", "init", newcomer.project, cwd=base)
    yield newcomer
    newcomer.make("down")


def test_the_wheel_is_what_runs(newcomer: Newcomer) -> None:
    """Nothing of the checkout is on the newcomer's path."""
    found = newcomer.run(newcomer.environment / "bin/python", "-c", "import protomesh; print(protomesh.__file__)")

    assert Path(found.strip()).is_relative_to(newcomer.environment)


def test_the_smallest_project_runs_with_the_same_two_commands(newcomer: Newcomer) -> None:
    """Stubs, `up`, calls by REST and by the command, then down with nothing left."""
    newcomer.make("proto")
    shown = newcomer.make("up")
    assert f"127.0.0.1:{newcomer.port}" in shown

    with urllib.request.urlopen(f"http://127.0.0.1:{newcomer.port}/v1/greetings/Ada", timeout=10) as response:
        assert json.load(response) == {"greeting": "Hello, Ada!"}
    protomesh = newcomer.environment / "bin/protomesh"
    answer = newcomer.run(protomesh, "call", "greeter.v1.GreeterService/Greet", '{"name": "Ada"}')
    assert json.loads(answer) == {"greeting": "Hello, Ada!"}
    assert "is up already" in newcomer.make("up")

    newcomer.make("down")
    with socket.socket() as closed:
        assert closed.connect_ex(("127.0.0.1", newcomer.port)) != 0
    processes = psutil.process_iter(["cmdline"])
    assert [p for p in processes if any(str(newcomer.environment) in word for word in p.info["cmdline"] or ())] == []


def test_its_tests_and_its_check_pass(newcomer: Newcomer) -> None:
    """What is laid down is a good example: tested, sound, fresh."""
    newcomer.make("proto")

    assert re.search(r"\b2 passed\b", newcomer.make("test"))
    newcomer.make("check")


def test_it_satisfies_the_strictest_type_checkers(newcomer: Newcomer) -> None:
    """Both mypy --strict and pyright strict, with the settings that are laid down, and the formatter."""
    newcomer.make("proto")
    tools = Path(sys.executable).parent
    python = newcomer.environment / "bin/python"

    newcomer.run(tools / "mypy", "--python-executable", python, "services", "tests")
    newcomer.run(tools / "basedpyright", "--pythonpath", python, "--level", "error", "services", "tests")
    newcomer.run(tools / "ruff", "format", "--check", "services", "tests")


def test_every_file_it_needs_is_committed(newcomer: Newcomer) -> None:
    """A clone of the new project works: git ignores what is derived at run time and nothing else."""
    newcomer.make("proto")
    shutil.rmtree(newcomer.project / ".git", ignore_errors=True)
    newcomer.run("git", "init", "--quiet")
    files = set(newcomer.run("git", "ls-files", "--others", "--exclude-standard").split())

    assert "generated/python/greeter/v1/__init__.py" in files
    assert ".vscode/settings.json" in files
    assert not [file for file in files if file.startswith((".protomesh/", ".pytest_cache/")) or "__pycache__" in file]
