"""The right to do what only one of a service's workers may do at a time."""

import asyncio
import fcntl
import os
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

__all__ = ["FileLease", "FileLeases", "Lease", "Leases"]

# How often a worker without the lease asks for it.
_INTERVAL_SECONDS = 1.0


class Lease(Protocol):
    """What one of several workers has, and a crash gives up."""

    def held(self) -> AbstractAsyncContextManager[None]:
        """Waits until this worker has the lease, and keeps it for the block."""
        ...

    async def wait_lost(self) -> None:
        """Returns if the lease was lost inside the block: another worker may have it already."""
        ...


class Leases(Protocol):
    """What several workers may have one each of, by name."""

    def named(self, name: str) -> Lease:
        """The lease of a name. Whoever asks for it by that name may have it in turn."""
        ...

    async def close(self) -> None:
        """Gives up whatever is held."""
        ...


class FileLease:
    """A lock between processes of one machine that the kernel gives up with its holder, however that ends."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: int | None = None

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """See `Lease`."""
        while not self.acquire():  # noqa: ASYNC110 - nothing tells when another process ends
            await asyncio.sleep(_INTERVAL_SECONDS)
        try:
            yield
        finally:
            self.release()

    async def wait_lost(self) -> None:
        """See `Lease`. The kernel takes it from nobody."""
        await asyncio.get_running_loop().create_future()

    def acquire(self) -> bool:
        """Whether this worker has the lease; it keeps it until `release`."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Lets another worker have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class FileLeases:
    """See `Leases`. Locks on files beside another file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def named(self, name: str) -> FileLease:
        """See `Leases`."""
        return FileLease(self._file.with_name(f"{self._file.name}.{re.sub('[^A-Za-z0-9_.-]', '_', name)}"))

    async def close(self) -> None:
        """See `Leases`. Each is given up by its own block, and by the end of the process."""
