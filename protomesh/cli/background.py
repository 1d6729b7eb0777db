"""The background process, from outside: how it is started, and how its start is watched."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.control.channel import unix_channel
from protomesh.supervisor import RunDirectoryRefused, claim
from protomesh.supervisor.logs import last_lines, log_file, rotate

__all__ = ["spawn", "watch_start"]

ALREADY_RUNNING = 75  # as protomesh.control.__main__ has it, which would import the whole mesh
_ANSWERS = 30.0  # seconds until the new process must answer on its socket
_Phase = admin.Status.Phase


def spawn(
    project: Project, environment: str, *, keep_going: bool, tether: int | None = None
) -> "subprocess.Popen[bytes]":
    """Starts the background process. It holds nothing of this terminal: no stream, no process group, no session.

    With a `tether` (see protomesh.control.tether) it ends when the process that holds the other end has ended.

    Raises:
        Failure: the run directory can't be used.
    """
    try:
        claim(project.layout)
    except RunDirectoryRefused as refused:
        raise Failure(str(refused)) from refused
    log = log_file(project.layout, "mesh")
    rotate(log)
    argv = [sys.executable, "-m", "protomesh.control", "--project", str(project.root), "--env", environment]
    argv += ["--keep-going"] if keep_going else []
    argv += ["--tether", str(tether)] if tether is not None else []
    with open(log, "ab", opener=partial(os.open, mode=0o600)) as output:
        return subprocess.Popen(  # noqa: S603 - our own module
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=project.root,
            env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
            start_new_session=True,
            pass_fds=() if tether is None else (tether,),
        )


async def watch_start(
    project: Project,
    show: Callable[[admin.Status], None],
    start: "Callable[[], subprocess.Popen[bytes]] | None" = None,
) -> admin.Status:
    """Follows a starting mesh until it serves or has failed; `show` sees each status on the way.

    `start` starts it. Without, somebody else has done so.

    Raises:
        Failure: it ended without a word; the text holds the end of its log.
    """
    process = start() if start is not None else None
    deadline = time.monotonic() + _ANSWERS
    while True:
        last: admin.Status | None = None
        async for last in _statuses(project):
            show(last)
            if last.phase in {_Phase.PHASE_SERVING, _Phase.PHASE_FAILED}:
                if process is not None and process.pid != last.pid:
                    await asyncio.to_thread(process.wait, _ANSWERS)  # another one was first, and ours ends
                return last
        code = process.poll() if process is not None else None
        if code == ALREADY_RUNNING and start is not None:
            process = start()  # the one that was first may be one that ends
        elif code is not None or last is not None or time.monotonic() > deadline:
            lines = "\n".join(f"  {line}" for line in last_lines(log_file(project.layout, "mesh"), 15))
            raise Failure(f"the mesh ended before it served. The end of its log:\n{lines}", ExitCode.FAILED)
        await asyncio.sleep(0.05)


async def _statuses(project: Project) -> AsyncIterator[admin.Status]:
    """What the mesh tells of itself until it ends; nothing where none answers."""
    async with unix_channel(project.layout.admin_socket) as channel:
        try:
            async for response in AdminServiceStub(channel).WatchStatus(admin.WatchStatusRequest()):
                yield response.status
        except grpc.aio.AioRpcError as error:
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise
