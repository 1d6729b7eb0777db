"""`protomesh run`: one worker in this terminal, in place of the mesh's."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.cli.connection import failure_of
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.cli.service_data import owner_of
from protomesh.control.channel import unix_channel
from protomesh.model import Command, PythonApp
from protomesh.supervisor import Owner
from protomesh.supervisor.account import become, own_environment

__all__ = ["run"]

_GRACE = 12.0  # seconds for a worker to drain


def run(directory: Path | None, name: str) -> None:
    """Ends when the worker does. The mesh's own workers take over again then.

    The worker has this terminal: stdin, stdout and Ctrl-C are its own, so that a debugger works.

    Raises:
        Failure: nothing runs, the mesh has no such service, another terminal runs it, or the worker failed.
    """
    project = Project.find(directory)
    service = project.compile().topology.services.get(name)
    if service is None or not service.supervised:
        raise Failure(f"mesh.yaml has no service {name!r} that the mesh runs.", ExitCode.INVALID)
    argv: Sequence[str] = ()
    match service.runs:
        case PythonApp(target=target):
            argv = (sys.executable, "-m", "protomesh.runtime", target)
        case Command(argv=command):
            argv = command
    code = asyncio.run(_run(project, name, argv, owner_of(service)))
    if code:
        raise Failure(f"{name} exited with status {code}" if code > 0 else f"{name} was killed by signal {-code}")


async def _run(project: Project, name: str, argv: Sequence[str], owner: Owner | None) -> int:
    async with unix_channel(project.layout.admin_socket) as channel:
        stream = AdminServiceStub(channel).AttachWorker(admin.AttachWorkerRequest(service=name))
        process: asyncio.subprocess.Process | None = None
        watching: asyncio.Task[None] | None = None
        try:
            first = await anext(aiter(stream))
            process = await _spawn(argv, first.environment, project, owner)
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _insist(process))
            watching = asyncio.create_task(_announce(stream, name))
            return await process.wait()
        except grpc.aio.AioRpcError as error:
            failure_of(error, project)
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await _end(process)
            stream.cancel()


async def _spawn(
    argv: Sequence[str], told: Mapping[str, str], project: Project, owner: Owner | None
) -> asyncio.subprocess.Process:
    try:
        with become(owner, argv, {**own_environment(owner), **told}) as start:
            return await asyncio.create_subprocess_exec(
                *start.argv, env=start.env, cwd=project.root, pass_fds=start.descriptors
            )
    except OSError as error:
        raise Failure(f"can't execute {argv[0]}: {error.strerror}", ExitCode.FAILED) from error


async def _announce(
    stream: "grpc.aio.UnaryStreamCall[admin.AttachWorkerRequest, admin.AttachWorkerResponse]", name: str
) -> None:
    """Says when calls arrive. If the mesh ends meanwhile the worker goes on: someone may be in a debugger."""
    try:
        async for response in stream:
            if response.attached:
                print(f"{name} runs here now: every call reaches this terminal. Ctrl-C gives it back.", file=sys.stderr)
    except grpc.aio.AioRpcError as error:
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
            print(f"the mesh has ended; {name} runs on here without calls. Ctrl-C ends it.", file=sys.stderr)
        else:
            print(f"the mesh has let go of {name}: {error.details() or error.code().name}", file=sys.stderr)


def _insist(process: asyncio.subprocess.Process) -> Callable[[], None]:
    """What Ctrl-C does here.

    Nothing at first: the worker is in the terminal's foreground too and has it by itself; a debugger may want it. The
    second time the worker is asked to end, and the third time it has no choice.
    """
    numbers = iter((None, signal.SIGTERM))

    def interrupted() -> None:
        number = next(numbers, signal.SIGKILL)
        if number is not None and process.returncode is None:
            process.send_signal(number)

    return interrupted


async def _end(process: asyncio.subprocess.Process | None) -> None:
    if process is None or process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _GRACE)
    except TimeoutError:
        process.kill()
        await process.wait()
