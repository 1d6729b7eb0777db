import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from protomesh.testing.postgresql import PostgreSQL, PostgreSQLNotFound, main, running_postgresql

HOLD = """
from protomesh.testing.postgresql import running_postgresql

with running_postgresql() as server:
    print(server.url("postgres").query["host"], flush=True)
    input()
"""


def processes_of(directory: Path) -> list[psutil.Process]:
    """Those of a server, which all know where its files are or follow one that does."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(directory) in process.cmdline():
                found += [process, *process.children(recursive=True)]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_a_server_goes_with_its_session_however_that_ends() -> None:
    """SIGKILL of pytest, too: no process, no files."""
    session = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    assert session.stdin is not None
    directory = Path(session.stdout.readline().strip())
    assert directory.is_dir()
    assert processes_of(directory)
    session.kill()
    session.wait()
    session.stdin.close()
    session.stdout.close()
    deadline = time.monotonic() + 30
    while directory.exists() or processes_of(directory):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.05)


def test_a_session_that_ends_at_once_leaves_nothing() -> None:
    """SIGKILL while the cluster is being made."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE) as session:
        deadline = time.monotonic() + 30
        while not (shells := [child for child in psutil.Process(session.pid).children() if child.name() == "sh"]):
            assert time.monotonic() < deadline, "no cluster is being made"
            time.sleep(0.002)
        directory = Path(shells[0].cmdline()[4])
        session.kill()
    while directory.exists() or processes_of(directory):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.05)


async def test_a_server_starts_in_a_process_that_is_busy_with_grpc() -> None:
    """Whichever user it runs as: a child that is forked there may crash before it is a program."""

    async def answer(_request: bytes, _context: object) -> bytes:
        return b""

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Answer": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Busy", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/Busy/Answer")

        async def be_busy() -> None:
            while True:
                await call(b"")

        async with asyncio.TaskGroup() as group:
            busy = [group.create_task(be_busy()) for _ in range(4)]
            for _ in range(3):
                await asyncio.to_thread(_start_and_end)
            for task in busy:
                task.cancel()
    await server.stop(None)


def _start_and_end() -> None:
    with running_postgresql() as server:
        assert server.query("postgres", "SELECT 1") == [(1,)]


def test_programs_that_do_not_run_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where others come from: the test fails, and is not skipped."""
    monkeypatch.setenv("PROTOMESH_POSTGRES", str(tmp_path))
    with pytest.raises(PostgreSQLNotFound, match="make extra") as missing, running_postgresql():
        pass
    assert str(tmp_path) in str(missing.value)


def test_the_command_says_which_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`scripts/test-deps` asks it whether the system's have to be installed."""
    assert main() == 0
    assert (Path(capsys.readouterr().out.strip()) / "initdb").exists()
    monkeypatch.setenv("PROTOMESH_POSTGRES", str(tmp_path))
    assert main() == 2
    assert "PROTOMESH_POSTGRES" in capsys.readouterr().err


def test_a_copy_has_what_its_template_has(postgresql_server: PostgreSQL) -> None:
    """And is a database of its own."""
    postgresql_server.create("a template")
    postgresql_server.query("a template", "CREATE TABLE things AS SELECT 7 AS number")
    postgresql_server.create("a copy", "a template")
    assert postgresql_server.query("a copy", "UPDATE things SET number = 8 RETURNING number") == [(8,)]
    assert postgresql_server.query("a template", "SELECT number FROM things") == [(7,)]
    for name in ("a copy", "a template"):
        postgresql_server.drop(name)
