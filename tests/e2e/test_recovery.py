import os
import signal

import psutil

from tests.e2e.mesh import Mesh, eventually


def test_a_killed_mesh_comes_up_again(mesh: Mesh) -> None:
    """SIGKILL leaves workers behind; the next `up` ends them and starts anew."""
    mesh.protomesh("up", check=True)
    status = mesh.status()
    # On Linux Envoy ends by itself when whoever started it dies.
    others = {status["pid"], status["proxy"]["pid"]}
    left = [process for process in mesh.processes() if process.pid not in others]
    os.kill(status["pid"], signal.SIGKILL)
    eventually(lambda: not any(process.pid == status["pid"] for process in mesh.processes()), "the mesh is dead")
    assert mesh.protomesh("status").returncode == 3
    assert all(process.is_running() for process in left)

    mesh.protomesh("up", check=True)

    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    assert mesh.call("Ask", {"text": "again"})["text"] == "again"
    assert len(mesh.processes()) == 6


def test_down_ends_what_a_killed_mesh_left(mesh: Mesh) -> None:
    """Nobody has to look for PIDs."""
    mesh.protomesh("up", check=True)
    pid = mesh.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(process.pid == pid for process in mesh.processes()), "the mesh is dead")

    done = mesh.protomesh("down", check=True)

    # Envoy is among them or not: on Linux it ends by itself when whoever started it dies.
    assert done.stdout in {f"the mesh had died; {count} leftover processes are ended\n" for count in (4, 5)}
    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)


def test_a_signal_ends_the_mesh_in_order(mesh: Mesh) -> None:
    """SIGTERM to the background process does what `down` does."""
    mesh.protomesh("up", check=True)

    os.kill(mesh.status()["pid"], signal.SIGTERM)

    eventually(lambda: mesh.processes() == [], "every process has ended")
    assert (mesh.sockets(), mesh.listens()) == ([], False)


def test_a_crashed_worker_comes_back(running: Mesh) -> None:
    """Its place is filled again; the other one serves meanwhile."""
    victim, other = running.service("echo")["workers"]

    os.kill(victim["pid"], signal.SIGKILL)

    eventually(
        lambda: (
            len(running.service("echo")["endpoints"]) == 2 and running.service("echo")["workers"][0]["restarts"] == 1
        ),
        "the worker is back",
    )
    workers = running.service("echo")["workers"]
    assert workers[0]["pid"] != victim["pid"]
    assert workers[0]["address"] != victim["address"]
    assert workers[1] == other


def test_a_worker_that_dies_again_and_again_is_tried_more_seldom(mesh: Mesh) -> None:
    """The status says what happened and how often; when the reason is gone the service is back by itself."""
    mesh.protomesh("up", check=True)
    (mesh.root / "broken").touch()
    for worker in mesh.service("echo")["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)

    eventually(lambda: mesh.service("echo")["state"] == "STATE_BACKING_OFF", "it backs off")
    eventually(lambda: "exited with status 1" in mesh.service("echo")["problem"], "the status says why")
    assert mesh.service("echo")["endpoints"] == []
    assert mesh.service("clock")["state"] == "STATE_SERVING"

    (mesh.root / "broken").unlink()
    eventually(lambda: len(mesh.service("echo")["endpoints"]) == 2, "it is back")
    assert mesh.call("Say", {"text": "back"})["text"] == "back"


def test_a_crashed_envoy_comes_back(mesh: Mesh) -> None:
    """It is told everything again."""
    mesh.protomesh("up", check=True)
    pid = mesh.status()["proxy"]["pid"]

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: mesh.status()["proxy"]["pid"] not in {0, pid}, "another Envoy runs")
    eventually(lambda: mesh.protomesh("call", "Ask", '{"text": "x"}').returncode == 0, "calls pass again")
    assert len(mesh.processes()) == 6
