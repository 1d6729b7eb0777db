import signal
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from protomesh.supervisor.process import ExitStatus, Process
from tests.unit.supervisor.programs import eventually

GRACE = timedelta(seconds=10)


def spawn(tmp_path: Path, program: str) -> Process:
    """Runs a Python program whose output goes to `log`."""
    return Process.spawn([sys.executable, "-c", program], env={}, cwd=tmp_path, log=tmp_path / "log")


def test_an_exit_status_reads_as_words() -> None:
    """What people see says what happened and not a negative number."""
    assert str(ExitStatus(3)) == "exited with status 3"
    assert str(ExitStatus(-signal.SIGSEGV)) == "killed by SIGSEGV"


async def test_output_goes_to_the_end_of_the_file(tmp_path: Path) -> None:
    """Both streams are appended after what another worker of the service wrote."""
    (tmp_path / "log").write_text("before\n")

    process = spawn(tmp_path, "import sys; print('out', flush=True); print('err', file=sys.stderr)")

    assert await process.wait() == ExitStatus(0)
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


async def test_a_missing_program_is_an_error_at_once(tmp_path: Path) -> None:
    """Nothing is left running or waiting."""
    with pytest.raises(FileNotFoundError):
        Process.spawn(["./no-such-program"], env={}, cwd=tmp_path, log=tmp_path / "log")


async def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace it has no choice."""
    process = spawn(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True); time.sleep(60)",
    )
    await eventually(lambda: (tmp_path / "log").read_text() == "ready\n")

    assert await process.stop(timedelta(seconds=0.1)) == ExitStatus(-signal.SIGKILL)


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    """A wrapper script that dies leaves no server behind."""
    process = spawn(
        tmp_path,
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n",
    )
    await eventually(lambda: (tmp_path / "log").read_text().endswith("\n"))
    child = psutil.Process(int((tmp_path / "log").read_text()))

    psutil.Process(process.pid).kill()
    await process.wait()

    await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


async def test_a_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches whoever runs there and not the workers."""
    process = spawn(tmp_path, "import os; print(os.getsid(0) == os.getpid())")

    await process.wait()

    assert (tmp_path / "log").read_text() == "True\n"


async def test_its_end_is_noticed_without_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS has none: a thread waits instead."""
    monkeypatch.delattr("os.pidfd_open", raising=False)

    assert await spawn(tmp_path, "raise SystemExit(7)").wait() == ExitStatus(7)
