import concurrent.futures
import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.mesh import COMMAND, Mesh, eventually
from tests.e2e.terminal import Terminal


@pytest.fixture
def terminal(mesh: Mesh, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal in the project that runs the verb of the test's parameter."""
    if request.param[0] != "dev":
        mesh.protomesh("up", check=True)
    terminal = Terminal([COMMAND, *request.param], cwd=mesh.root, env=mesh.env)
    yield terminal
    terminal.close()


@pytest.mark.parametrize("terminal", [["run", "echo"]], indirect=True)
def test_a_breakpoint_stops_for_as_long_as_it_likes(mesh: Mesh, terminal: Terminal) -> None:
    """The call has a deadline of 5 s; the debugger holds it for longer, and then it answers OK."""
    terminal.read_until("every call reaches this terminal")
    assert mesh.service("echo")["state"] == "STATE_ATTACHED"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(mesh.call, "Say", {"text": "stop here"})
        terminal.read_until("(Pdb)")
        stopped = time.monotonic()
        terminal.type("request.text\n")
        assert "'stop here'" in terminal.read_until("(Pdb)")
        eventually(lambda: time.monotonic() - stopped > 5.5, "longer than the deadline")
        assert not call.done()
        terminal.type("continue\n")
        answer = call.result(timeout=30)

    assert answer["text"] == "stop here"
    assert answer["pid"] not in {worker["pid"] for worker in mesh.service("echo")["workers"]}

    terminal.type("\x03")  # pdb takes the first one: after `continue` it is how one gets back to it
    terminal.read_until("(Pdb)")
    terminal.type("quit\n")
    terminal.wait()
    eventually(lambda: mesh.service("echo")["state"] == "STATE_SERVING", "the mesh's own workers are back")
    assert mesh.call("Say", {"text": "x"})["pid"] in {worker["pid"] for worker in mesh.service("echo")["workers"]}


@pytest.mark.parametrize("terminal", [["run", "echo"]], indirect=True)
def test_one_terminal_at_a_time(mesh: Mesh, terminal: Terminal) -> None:
    """The second one is told, and the first one goes on."""
    terminal.read_until("every call reaches this terminal")

    done = mesh.protomesh("run", "echo")

    assert (done.returncode, done.stderr) == (1, "another terminal runs echo\n")
    assert mesh.call("Say", {"text": "x"})["text"] == "x"


@pytest.mark.parametrize("terminal", [["dev"]], indirect=True)
def test_what_is_saved_is_served(mesh: Mesh, terminal: Terminal) -> None:
    """Python restarts its service, a contract reloads the mesh, an error is shown and what runs goes on."""
    terminal.read_until("watching protos, clock, services, mesh.yaml")
    app = mesh.root / "services" / "echo" / "app.py"
    source = app.read_text()
    app.write_text(source.replace("text=request.text, pid", "text=request.text.upper(), pid"))
    terminal.read_until("restarted echo")
    assert mesh.call("Say", {"text": "loud"})["text"] == "LOUD"

    app.write_text("def broken(:\n")
    terminal.read_until("the old workers serve on")
    assert mesh.call("Say", {"text": "still"})["text"] == "STILL"
    app.write_text(source)
    terminal.read_until("restarted echo")

    contract = mesh.root / "protos" / "echo" / "v1" / "echo_service.proto"
    contract.write_text(contract.read_text().replace("/v1/echo/{text}", "/v1/echo/{word}"))
    terminal.read_until("REST_UNKNOWN_FIELD")
    contract.write_text(contract.read_text().replace("/v1/echo/{word}", "/v2/echo/{text}"))
    terminal.read_until("restarted front")
    routes = mesh.protomesh("explain", "Say", check=True).stdout
    assert "GET /v2/echo/{text}" in routes
    assert "acknowledged by Envoy" in routes

    configuration = mesh.root / "mesh.yaml"
    configuration.write_text(configuration.read_text().replace("    workers: 2\n", ""))
    terminal.read_until("restarted echo")
    eventually(lambda: len(mesh.service("echo")["workers"]) == 1, "one worker is left")

    terminal.type("\x03")
    assert terminal.wait() == 0
    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)


@pytest.mark.parametrize("terminal", [["run", "echo"]], indirect=True)
def test_a_worker_in_a_terminal_outlives_its_mesh(mesh: Mesh, terminal: Terminal) -> None:
    """Someone may be in a debugger. They are told, and Ctrl-C ends the worker as ever."""
    terminal.read_until("every call reaches this terminal")

    started = time.monotonic()
    mesh.protomesh("down", check=True)

    assert time.monotonic() - started < 10
    terminal.read_until("the mesh has ended; echo runs on here without calls. Ctrl-C ends it.\n")
    assert {process.pid for process in mesh.processes()} == {
        terminal.process.pid,
        *(child.pid for child in psutil.Process(terminal.process.pid).children()),
    }
    terminal.type("\x03")
    assert terminal.wait() == 0
    assert mesh.processes() == []


@pytest.mark.parametrize("terminal", [["run", "echo"]], indirect=True)
def test_a_worker_in_a_terminal_is_told_of_a_mesh_that_is_killed(mesh: Mesh, terminal: Terminal) -> None:
    """SIGKILL of the background process reads the same."""
    terminal.read_until("every call reaches this terminal")

    os.kill(mesh.status()["pid"], signal.SIGKILL)

    terminal.read_until("the mesh has ended; echo runs on here without calls. Ctrl-C ends it.\n")


@pytest.mark.parametrize("terminal", [["logs", "-f", "echo"]], indirect=True)
def test_who_follows_the_logs_is_told_of_the_end(mesh: Mesh, terminal: Terminal) -> None:
    """And goes on with the next run."""
    terminal.read_until("echo |")

    mesh.protomesh("down", check=True)

    terminal.read_until("the mesh has ended; the logs of the next one will follow here. Ctrl-C ends this.\n")
    mesh.protomesh("up", check=True)
    terminal.read_until("echo |")
    terminal.type("\x03")
    assert terminal.wait() == 130


@pytest.mark.parametrize("terminal", [["dev"]], indirect=True)
def test_dev_says_when_its_mesh_was_ended_from_elsewhere(mesh: Mesh, terminal: Terminal) -> None:
    """It has nothing to stay for."""
    terminal.read_until("watching protos")

    mesh.protomesh("down", check=True)

    terminal.read_until("the mesh was ended from elsewhere, or failed: `protomesh logs mesh` says which.\n")
    assert terminal.wait() == 1
