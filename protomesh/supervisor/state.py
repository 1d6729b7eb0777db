"""The state file: which processes a run has started, for whoever finds them without their supervisor."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from protomesh.atomic_file import write_atomically
from protomesh.model import Layout

__all__ = ["ATTACHED", "Leftover", "StateFile", "end_leftovers"]

# Seconds by which two processes may read another start time of the same third one: each adds the time of the boot,
# which moves when the clock is adjusted. PIDs wrap more slowly.
_CLOCK = 5.0
ATTACHED = "attached-"  # begins the socket's name of a worker that a terminal runs: it is not ours to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A process of a run, named so that a recycled PID is never taken for it."""

    pid: int
    start_time: float  # seconds since the epoch, as psutil.Process.create_time() gives it
    role: str  # "mesh", "envoy" or the service's name

    def find(self) -> psutil.Process | None:
        """The process, if it is still the one that was written down and not a zombie."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.start_time) < _CLOCK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None


class StateFile:
    """What one supervisor writes down about its children. Each write replaces the file as a whole."""

    def __init__(self, layout: Layout) -> None:
        self._path = Path(layout.state_file)
        self._processes: dict[int, Leftover] = {}

    def add(self, pid: int, start_time: float, role: str) -> None:
        """Notes a process that has just been started."""
        self._processes[pid] = Leftover(pid=pid, start_time=start_time, role=role)
        self._write()

    def remove(self, pid: int) -> None:
        """Notes that a process has ended."""
        if self._processes.pop(pid, None) is not None:
            self._write()

    def _write(self) -> None:
        if not self._path.parent.is_dir():  # the run is over
            return
        content = json.dumps({"processes": [asdict(process) for process in self._processes.values()]})
        write_atomically(self._path, content, private=True)


def read(layout: Layout) -> list[Leftover]:
    """What the last supervisor wrote down; nothing if there is no file or it can't be understood."""
    try:
        content = json.loads(Path(layout.state_file).read_text())
        return [Leftover(**entry) for entry in content["processes"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


async def end_leftovers(layout: Layout, *, grace: timedelta = timedelta(seconds=12)) -> list[Leftover]:
    """Ends what a dead supervisor left running: SIGTERM, and SIGKILL after `grace`. Returns what was found.

    A supervisor can die between starting a child and writing it down, so processes are looked through as well, all of
    them by root: one that was told a socket of this run is ours, and so is one that leads a session and was given a
    file of it.
    """
    written = [leftover for leftover in read(layout) if leftover.find() is not None]
    known = {leftover.pid for leftover in written}
    found = written + [
        leftover for leftover in await asyncio.to_thread(_unwritten, layout) if leftover.pid not in known
    ]
    _signal(found, signal.SIGTERM)
    deadline = time.monotonic() + grace.total_seconds()
    while any(leftover.find() for leftover in found):
        if time.monotonic() > deadline:
            _signal(found, signal.SIGKILL)
        await asyncio.sleep(0.05)
    return found


def _unwritten(layout: Layout) -> list[Leftover]:
    run = f"{layout.run}/"
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or os.getuid() not in {0, process.uids().real}:
                continue  # root's mesh has had workers of other users, and root may look at everybody's
            told = process.environ().get("PROTOMESH_LISTEN", "")
            given = os.getsid(process.pid) == process.pid and any(arg.startswith(run) for arg in process.cmdline())
            if given or (told.startswith(f"unix:{run}") and f"/{ATTACHED}" not in told):
                found.append(Leftover(pid=process.pid, start_time=process.create_time(), role="unknown"))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            continue
    return found


def _signal(leftovers: Iterable[Leftover], number: signal.Signals) -> None:
    for leftover in leftovers:
        process = leftover.find()
        if process is not None:
            try:
                if os.getpgid(process.pid) == process.pid:
                    os.killpg(process.pid, number)  # what it started ends with it
                else:
                    process.send_signal(number)
            except (ProcessLookupError, PermissionError, psutil.NoSuchProcess, psutil.AccessDenied):
                continue
