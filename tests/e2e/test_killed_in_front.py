"""The mesh ends by itself when the process it runs for is gone. PIDs are the operating system's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mesh import COMMAND, Mesh, eventually
from tests.e2e.terminal import Terminal

SESSION = """
import signal
from pathlib import Path

def test_it_holds_a_mesh(mesh):
    Path("up").touch()
    signal.pause()
"""


@pytest.fixture
def dev(mesh: Mesh) -> Iterator[Terminal]:
    """`protomesh dev`, just started."""
    terminal = Terminal([COMMAND, "dev"], cwd=mesh.root, env=mesh.env)
    yield terminal
    terminal.close()


def test_killing_dev_ends_its_mesh(mesh: Mesh, dev: Terminal) -> None:
    """SIGKILL leaves dev no time to say anything; no process, no socket and no port stays."""
    dev.read_until("watching protos")
    assert len(mesh.processes()) == 7  # dev, the mesh, Envoy, four workers

    dev.process.kill()
    dev.process.wait()

    _ends(mesh)
    assert "the process that the mesh ran for has ended" in (mesh.root / ".protomesh/logs/mesh.log").read_text()


def test_killing_dev_while_it_starts_ends_what_it_has_started(mesh: Mesh, dev: Terminal) -> None:
    """Envoy runs, the workers are on their way."""
    eventually(lambda: any("envoy" in process.name() for process in mesh.processes()), "Envoy has been started")

    dev.process.kill()
    dev.process.wait()

    _ends(mesh)


def test_up_outlives_the_terminal(mesh: Mesh) -> None:
    """Only who stays in front holds a mesh."""
    mesh.protomesh("up", check=True)

    assert mesh.call("Say", {"text": "x"})["text"] == "x"


def test_killing_a_test_session_ends_its_mesh(mesh: Mesh, tmp_path: Path) -> None:
    """The fixture `mesh` cannot tidy up then."""
    (mesh.root / "test_session.py").write_text(SESSION)
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", f"--rootdir={mesh.root}", f"--basetemp={tmp_path / 'session'}"],
        cwd=mesh.root,
        env=mesh.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually((mesh.root / "up").exists, "the session has its mesh")
        assert len(mesh.processes()) == 7  # pytest, the mesh, Envoy, four workers
    finally:
        session.kill()
        output, _ = session.communicate()

    assert b"failed" not in output
    _ends(mesh)


def test_a_tether_that_is_none_is_refused(mesh: Mesh) -> None:
    """Nothing is started that would never end."""
    done = mesh.protomesh("up", "--tether", "77")

    assert (done.returncode, done.stderr) == (2, "--tether 77 is no open file of this process.\n")
    assert mesh.processes() == []


def _ends(mesh: Mesh) -> None:
    """Waits until nothing of the mesh is left."""
    eventually(lambda: mesh.processes() == [], "every process has ended")
    assert (mesh.sockets(), mesh.listens()) == ([], False)
