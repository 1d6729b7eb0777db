"""`protomesh down`: stops the mesh."""

import asyncio
import contextlib
import time
from pathlib import Path

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.cli.connection import get_status
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.control.channel import unix_channel
from protomesh.control.lock import AlreadyRunning, exclusive
from protomesh.model import Layout
from protomesh.supervisor import end_leftovers, release
from protomesh.supervisor.process import is_running

__all__ = ["down", "shut_down", "wait_gone"]

_LIMIT = 40.0  # seconds; workers have 12 to drain, Envoy some more


def down(directory: Path | None) -> None:
    """Returns when no process, socket or port of the mesh is left.

    Raises:
        Failure: nothing runs, and nothing was left over.
    """
    project = Project.find(directory)
    asyncio.run(_down(project))


async def _down(project: Project) -> None:
    deadline = time.monotonic() + _LIMIT
    while (status := await get_status(project.layout)) is None:
        try:
            ended = await _clear(project.layout)
        except AlreadyRunning:  # it has begun to start and does not answer yet, or has all but ended
            if time.monotonic() > deadline:
                raise Failure("the mesh neither answers nor ends; see `protomesh logs mesh`") from None
            await asyncio.sleep(0.1)
            continue
        if not ended:
            raise Failure(f"no mesh runs for {project.root}.", ExitCode.NOT_RUNNING)
        print(f"the mesh had died; {ended} leftover processes are ended")
        return
    await shut_down(project.layout)
    if not await wait_gone(project.layout, status.pid):
        raise Failure(f"the mesh (PID {status.pid}) does not stop; see `protomesh logs mesh`")
    print(f"{status.mesh or project.root.name} is down")


async def shut_down(layout: Layout) -> None:
    """Asks the mesh to stop; nothing happens if it is on its way already."""
    async with unix_channel(layout.admin_socket) as channel:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await AdminServiceStub(channel).Shutdown(admin.ShutdownRequest(), timeout=5)


async def wait_gone(layout: Layout, pid: int) -> bool:
    """Waits until the mesh's process has ended and nothing of it is left. Returns whether it came to that."""
    deadline = time.monotonic() + _LIMIT
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    # Its last act is to remove the run directory. Where it was killed before, its children are still there.
    with contextlib.suppress(AlreadyRunning):  # the next one has begun, and does that itself
        await _clear(layout)
    return True


async def _clear(layout: Layout) -> int:
    """Ends and removes what a mesh that died has left; returns how many processes that were.

    Raises:
        AlreadyRunning: a mesh runs, or is about to.
    """
    if not Path(layout.run).exists():  # noqa: ASYNC240 - nothing else runs in this process
        return 0
    with exclusive(layout):
        ended = await end_leftovers(layout)
        release(layout)
        return len(ended)
