"""The life of a mesh as a terminal sees it; the transcripts are what it prints, with what differs masked."""

import json
import os
import signal
import socket
import subprocess

from tests.e2e.mesh import COMMAND, Mesh, eventually
from tests.e2e.transcript import Transcript


def test_a_mesh_comes_up_and_goes_down_without_a_trace(mesh: Mesh, transcript: Transcript) -> None:
    """The first run, a second one that finds it up, and the end: no process, no socket, no port."""
    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)

    transcript.check("first-run", mesh, mesh.protomesh("up"))
    assert mesh.listens()
    assert mesh.call("Say", {"text": "hello"})["text"] == "hello"
    # The mesh, Envoy, four workers.
    assert len(mesh.processes()) == 6

    transcript.check("already-up", mesh, mesh.protomesh("up"))
    transcript.check("down", mesh, mesh.protomesh("down"))

    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)
    assert list(mesh.run.iterdir()) == []
    assert (mesh.root / ".protomesh" / "logs" / "echo.log").exists()


def test_the_calls_to_try_work_as_they_are_pasted(mesh: Mesh) -> None:
    """Each of them, in a shell, in the project's directory: the operator's with grpcurl, too."""
    shown = mesh.protomesh("up", check=True).stdout
    calls = shown.partition("Try:\n")[2].splitlines()
    tools = {**mesh.env, "PATH": f"{COMMAND.parent}{os.pathsep}{mesh.env['PATH']}"}

    answers = [
        subprocess.run(call, shell=True, cwd=mesh.root, env=tools, capture_output=True, text=True, check=True).stdout
        for call in calls
    ]

    assert [call.split()[0].rpartition("/")[2] for call in calls] == ["protomesh", "grpcurl", "curl", "grpcurl"]
    assert [json.loads(answer)["text"] for answer in answers[:3]] == ["text"] * 3
    assert {"echo.v1.ClockService", "echo.v1.EchoService", "echo.v1.FrontService"} <= set(answers[3].split())


def test_output_into_a_pipe_ends(mesh: Mesh) -> None:
    """`up | tee log` returns: the background process holds no stream of the terminal."""
    done = subprocess.run(
        f"{COMMAND} up | tee log", shell=True, cwd=mesh.root, env=mesh.env, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip

    assert done.stdout == (mesh.root / "log").read_text()
    assert "Try:" in done.stdout


def test_a_taken_port_is_explained(mesh: Mesh, transcript: Transcript) -> None:
    """By whom it is taken, and which key to change where; nothing is left."""
    with socket.create_server(("127.0.0.1", mesh.port)):
        transcript.check("port-taken", mesh, mesh.protomesh("up"))

    assert (mesh.processes(), mesh.sockets()) == ([], [])


def test_a_service_that_does_not_start_is_explained(mesh: Mesh, transcript: Transcript) -> None:
    """Which one and its last lines; the others are stopped again."""
    (mesh.root / "broken").touch()

    transcript.check("crashed-service", mesh, mesh.protomesh("up"))

    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)


def test_keep_going_runs_what_can(mesh: Mesh) -> None:
    """The service that does not start is tried again, and is there once its reason is gone."""
    (mesh.root / "broken").touch()

    done = mesh.protomesh("up", "--keep-going")

    assert done.returncode == 0
    assert "does not serve: exited with status" in done.stdout
    assert mesh.call("GetZone")["zone"] == "UTC"
    (mesh.root / "broken").unlink()
    mesh.protomesh("restart", "echo", check=True)
    assert mesh.call("Say", {"text": "at last"})["text"] == "at last"


def test_a_wrong_project_starts_nothing(mesh: Mesh, transcript: Transcript) -> None:
    """Every problem of contracts and mesh.yaml is listed with its line."""
    contract = mesh.root / "protos" / "echo" / "v1" / "echo_service.proto"
    contract.write_text(
        contract.read_text()
        .replace(
            '  option (protomesh.v1.service) = {timeout: "5s"};\n\n  // Says a text back, after',
            "  // Says a text, after",
        )
        .replace('get: "/v1/echo/{text}"', 'get: "/v1/echo/{word}"')
    )
    configuration = mesh.root / "mesh.yaml"
    configuration.write_text(configuration.read_text().replace("calls: [echo]", "calls: [ecco]"))

    transcript.check("bad-proto", mesh, mesh.protomesh("up"))

    assert (mesh.processes(), mesh.sockets()) == ([], [])
    assert list(mesh.run.iterdir()) == []


def test_an_interrupted_start_leaves_nothing(mesh: Mesh) -> None:
    """Ctrl-C while it starts stops what was started."""
    process = subprocess.Popen([COMMAND, "up"], cwd=mesh.root, env=mesh.env, stdout=subprocess.PIPE)
    eventually(lambda: any("envoy" in process.name() for process in mesh.processes()), "Envoy has been started")

    process.send_signal(signal.SIGINT)

    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Try:" not in output
    assert (mesh.processes(), mesh.sockets(), mesh.listens()) == ([], [], False)


def test_up_waits_for_a_mesh_that_ends(mesh: Mesh) -> None:
    """Nobody has to look whether `down` is through."""
    mesh.protomesh("up", check=True)
    ending = subprocess.Popen([COMMAND, "down"], cwd=mesh.root, env=mesh.env, stdout=subprocess.PIPE)
    eventually(lambda: mesh.protomesh("status").returncode != 0, "it stops")

    mesh.protomesh("up", check=True)

    ending.communicate(timeout=60)
    assert mesh.call("Say", {"text": "x"})["text"] == "x"


def test_two_at_once_start_one_mesh(mesh: Mesh) -> None:
    """Both return when it serves."""
    both = [
        subprocess.Popen([COMMAND, "up"], cwd=mesh.root, env=mesh.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(mesh.processes()) == 6


def test_two_checkouts_run_side_by_side(mesh: Mesh, running: Mesh) -> None:
    """Each has its sockets, its port and its processes."""
    mesh.protomesh("up", check=True)

    assert mesh.call("Say", {"text": "a"})["pid"] != running.call("Say", {"text": "a"})["pid"]
    mesh.protomesh("down", check=True)
    assert running.call("Say", {"text": "b"})["text"] == "b"
