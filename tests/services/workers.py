"""A service's worker in a process of its own, which a test may kill."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from grpc import aio

from protomesh.runtime import User
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.launch import environment
from protomesh.testing.serving import identity

__all__ = ["SOON", "worker"]

SOON = timedelta(seconds=60).total_seconds()  # longer than anything takes on a slow machine

StubT = TypeVar("StubT")


@asynccontextmanager
async def worker(
    service: str, stub: Callable[[aio.Channel], StubT], data: Path, user: User, **variables: str
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, StubT]]:
    """Starts a worker as the mesh does, and gives its process and a client for `user`. It is killed at the end."""
    with tempfile.TemporaryDirectory(prefix="pm-") as sockets:
        listen = f"unix:{sockets}/s"
        launch = environment(service, listen, f"unix:{sockets}/egress", str(data), log="console")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "protomesh.runtime",
            f"services.{service}.app:app",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **variables, **launch},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aio.insecure_channel(listen) as channel:
                async with asyncio.timeout(SOON):
                    await channel.channel_ready()
                yield process, MeshChannel(lambda _service: channel, metadata=identity(user, None)).stub(stub)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
