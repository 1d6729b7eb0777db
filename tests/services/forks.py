"""Workers that start at once, so that many can be killed: forked from a process that has imported everything."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from grpc import aio

from protomesh.runtime import User
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.launch import environment
from protomesh.testing.serving import identity
from tests.services.workers import SOON

__all__ = ["Fork", "Forks"]

StubT = TypeVar("StubT")

# What a worker imports when it comes to it: here once for all.
_LATER = (
    "aiosqlite",
    "asyncpg",
    "protomesh.runtime.__main__",
    "protomesh.runtime.events.consumers",
    "protomesh.runtime.events.inbox",
    "protomesh.runtime.events.relay",
    "protomesh.runtime.events.servicer",
    "protomesh.runtime.events.transport",
    "protomesh.runtime.store",
    "tests.services.stops",
)
# A worker binds a moment before it listens, and gRPC's own first pause is a second.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20))


class Fork:
    """One worker's process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._killed = False

    def kill(self) -> None:
        """Ends it at once, wherever it is. Twice does no harm."""
        if not self._killed:
            self._killed = True
            os.kill(self._pid, signal.SIGKILL)

    def check(self) -> None:
        """Fails if it has ended by itself."""
        os.kill(self._pid, 0)


class Forks:
    """Starts workers of one service, one after the other, for the block.

    Each is a process of its own, which runs what `python -m protomesh.runtime services.SERVICE.app:app` would. The
    process that forks them has no thread and has not used gRPC.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._parent = subprocess.Popen(
            [sys.executable, "-m", __name__, f"services.{service}.app:app"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parent.communicate()  # it ends when nobody asks any more
        assert self._parent.returncode == 0

    @asynccontextmanager
    async def worker(
        self, stub: Callable[[aio.Channel], StubT], data: Path, user: User, **variables: str
    ) -> AsyncGenerator[tuple[Fork, StubT]]:
        """Starts a worker, and gives its process and a client for `user`. It is killed at the latest at the end."""
        with tempfile.TemporaryDirectory(prefix="pm-") as sockets:
            socket = Path(sockets, "s")
            launch = environment(self._service, f"unix:{socket}", f"unix:{sockets}/egress", str(data), log="console")
            path = {"PATH": os.environ["PATH"]}
            fork = Fork(int(self._say(json.dumps({**path, **variables, **launch}))))
            try:
                async with asyncio.timeout(SOON):
                    while not socket.exists():
                        fork.check()
                        await asyncio.sleep(0.005)
                async with aio.insecure_channel(f"unix:{socket}", options=_OPTIONS) as to:
                    async with asyncio.timeout(SOON):
                        await to.channel_ready()
                    yield fork, MeshChannel(lambda _service: to, metadata=identity(user, None)).stub(stub)
            finally:
                fork.kill()
                status = int(await asyncio.to_thread(self._hear))
            assert os.WIFSIGNALED(status)
            assert os.WTERMSIG(status) == signal.SIGKILL

    def _say(self, line: str) -> str:
        assert self._parent.stdin is not None  # a pipe
        self._parent.stdin.write(f"{line}\n")
        self._parent.stdin.flush()
        return self._hear()

    def _hear(self) -> str:
        assert self._parent.stdout is not None  # a pipe
        return self._parent.stdout.readline()


def _woken(_number: int, _frame: object) -> None:
    """Without a handler there is nothing to wake up for."""


def _run(reference: str) -> None:
    """Forks a worker for each line that comes: its environment. Tells its pid, and when it has ended how."""
    for module in (reference.partition(":")[0], *_LATER):
        import_module(module)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    for line in sys.stdin:
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, _woken)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ.clear()
            os.environ.update(json.loads(line))
            _become(reference)
        print(pid, flush=True)  # noqa: T201 - the one who asked reads it
        # Nothing is asked while a worker is there: what there is to read is that the one who asks has gone.
        gone, _, _ = select.select([sys.stdin, ended], [], [])
        if sys.stdin in gone:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.read(ended, 1)
        print(status, flush=True)  # noqa: T201 - likewise


def _become(reference: str) -> None:
    """Runs the worker that the environment says, in this process."""
    from protomesh.runtime.__main__ import main
    from tests.services.stops import stop_at

    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    if at := os.environ.pop("STOP_AT", None):
        stop_at(*json.loads(at))
    sys.argv = ["protomesh.runtime", reference]
    os._exit(main())


if __name__ == "__main__":
    _run(sys.argv[1])
