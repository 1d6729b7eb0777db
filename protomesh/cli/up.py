"""`protomesh up`: starts the mesh in the background."""

import asyncio
import os
import sys
import time
from pathlib import Path

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.background import spawn, watch_start
from protomesh.cli.connection import get_status
from protomesh.cli.down import shut_down, wait_gone
from protomesh.cli.examples import command
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.progress import Progress
from protomesh.cli.project import Project
from protomesh.cli.welcome import failure_text, welcome

__all__ = ["bring_up", "up"]

_Phase = admin.Status.Phase


def up(directory: Path | None, environment: str, *, keep_going: bool, tether: int | None = None) -> None:
    """Returns when every service answers through Envoy, and says what can be called.

    A mesh that is up already is left as it is. One that is started here ends with the `tether`, if there is one: see
    protomesh.control.tether.

    Raises:
        Failure: a contract or mesh.yaml is wrong (every problem is listed and nothing is started), or the mesh did
            not start.
    """
    project = Project.find(directory)
    if tether is not None:
        _check_open(tether)
    compilation = project.compile(environment)
    started = time.monotonic()
    try:
        with Progress(sys.stdout) as progress:
            status, was_up = asyncio.run(bring_up(project, environment, progress, keep_going=keep_going, tether=tether))
    except KeyboardInterrupt:
        asyncio.run(_give_up(project))
        raise
    if status.phase != _Phase.PHASE_SERVING:
        raise Failure(failure_text(status, project, keep_going=keep_going), ExitCode.FAILED)
    headline = "is up already" if was_up else f"is up, after {time.monotonic() - started:.1f} s"
    print(welcome(status, compilation.topology, project, headline))
    if warnings := len(compilation.problems):
        print(f"\n{warnings} warning{'s' if warnings != 1 else ''}: `{command()} check` shows them.")


async def bring_up(
    project: Project, environment: str, progress: Progress, *, keep_going: bool, tether: int | None = None
) -> tuple[admin.Status, bool]:
    """Starts the mesh unless it runs. Returns its status when it serves or has failed, and whether it was up before."""
    status = await get_status(project.layout)
    if status is not None and status.phase == _Phase.PHASE_SERVING:
        return status, True
    if status is not None and status.phase in {_Phase.PHASE_STOPPING, _Phase.PHASE_FAILED}:
        progress.say("waiting for the mesh that ends")
        await wait_gone(project.layout, status.pid)
        status = None
    start = None if status is not None else lambda: spawn(project, environment, keep_going=keep_going, tether=tether)
    status = await watch_start(project, progress.show, start)
    if status.phase == _Phase.PHASE_FAILED:
        await wait_gone(project.layout, status.pid)
    return status, False


def _check_open(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise Failure(f"--tether {descriptor} is no open file of this process.", ExitCode.INVALID) from error


async def _give_up(project: Project) -> None:
    """Ctrl-C while it starts: nothing half-started stays."""
    status = await get_status(project.layout)
    if status is not None:
        await shut_down(project.layout)
        await wait_gone(project.layout, status.pid)
