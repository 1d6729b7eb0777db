import os
import sys
from datetime import timedelta
from pathlib import Path

import psutil

from protomesh.model import Layout
from protomesh.supervisor import StateFile, end_leftovers
from protomesh.supervisor.process import Process
from tests.unit.supervisor.programs import environment

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
GRACE = timedelta(seconds=5)


async def test_what_a_dead_supervisor_left_is_ended(layout: Layout, tmp_path: Path) -> None:
    """The state file names processes by PID and start time."""
    process = Process.spawn(SLEEP, env={}, cwd=tmp_path, log=tmp_path / "log")
    StateFile(layout).add(process.pid, process.start_time, "catalog")

    found = await end_leftovers(layout, grace=GRACE)

    assert [(leftover.pid, leftover.role) for leftover in found] == [(process.pid, "catalog")]
    await process.wait()


async def test_a_recycled_pid_is_left_alone(layout: Layout) -> None:
    """A PID whose process started at another time is somebody else's: this test would end itself."""
    StateFile(layout).add(os.getpid(), psutil.Process().create_time() - 100, "catalog")

    assert await end_leftovers(layout, grace=GRACE) == []


async def test_a_worker_that_was_not_written_down_is_found(layout: Layout, tmp_path: Path) -> None:
    """A supervisor can die between starting a worker and writing it down; the worker was told a socket of the run."""
    listen = f"unix:{layout.worker_socket('catalog', 1, 0)}"
    process = Process.spawn(
        SLEEP, env=environment("catalog", listen, "", "", log="json"), cwd=tmp_path, log=tmp_path / "log"
    )

    assert [leftover.pid for leftover in await end_leftovers(layout, grace=GRACE)] == [process.pid]
    await process.wait()


async def test_a_proxy_that_was_not_written_down_is_found(layout: Layout, tmp_path: Path) -> None:
    """It leads a session of its own and was given a file of the run directory."""
    argv = [*SLEEP, f"{layout.run}/envoy.json"]
    process = Process.spawn(argv, env={}, cwd=tmp_path, log=tmp_path / "log")

    assert [leftover.pid for leftover in await end_leftovers(layout, grace=GRACE)] == [process.pid]
    await process.wait()


async def test_an_adjusted_clock_hides_nobody(layout: Layout, tmp_path: Path) -> None:
    """Two processes read start times of a third one that differ by as much as the clock was set."""
    process = Process.spawn(SLEEP, env={}, cwd=tmp_path, log=tmp_path / "log")
    StateFile(layout).add(process.pid, process.start_time - 1.5, "envoy")

    assert [leftover.role for leftover in await end_leftovers(layout, grace=GRACE)] == ["envoy"]
    await process.wait()


async def test_the_worker_of_a_terminal_is_not_ended(layout: Layout, tmp_path: Path) -> None:
    """Someone sits in front of it with a debugger."""
    listen = f"unix:{layout.worker_sockets('catalog')}/attached-1.sock"
    process = Process.spawn(
        SLEEP, env=environment("catalog", listen, "", "", log="json"), cwd=tmp_path, log=tmp_path / "log"
    )
    try:
        assert await end_leftovers(layout, grace=GRACE) == []
    finally:
        await process.stop(GRACE)


async def test_a_broken_state_file_is_no_obstacle(layout: Layout) -> None:
    """It is only a hint."""
    Path(layout.state_file).write_text('{"processes": [{"pid"')

    assert await end_leftovers(layout, grace=GRACE) == []
