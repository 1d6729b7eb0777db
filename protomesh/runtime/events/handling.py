"""Which event a worker is handling, written where others read it if the worker has ended in the middle of it."""

import fcntl
import mmap
import os
import tempfile
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

__all__ = ["Handling", "LeftBehind"]

_SIZE = 64  # more than an event's id has


class LeftBehind:
    """What a worker was handling when it ended. Nobody else reads it until it is closed."""

    def __init__(self, event_id: str, path: Path, file: int) -> None:
        self.event_id = event_id  # "" if it was handling none
        self._path = path
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Removes it, unless what was done about it failed."""
        if error is None:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


class Handling:
    """A file of this worker's in a directory that it shares with the service's other ones on this machine.

    It is locked for as long as its worker lives, whose memory it is: to write there costs next to nothing, and what was
    written is there when the process is not, however it has ended.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._memory: mmap.mmap | None = None
        self._path: Path | None = None

    @contextmanager
    def of(self, event_id: str) -> Generator[None]:
        """Says for a block that an event is being handled."""
        if self._memory is None:
            self._memory = self._opened()
        self._memory[:_SIZE] = event_id.encode()[:_SIZE].ljust(_SIZE, b"\0")
        try:
            yield
        finally:
            self._memory[:_SIZE] = bytes(_SIZE)

    def left_behind(self) -> Iterator[LeftBehind]:
        """What workers have left that live no more, each to be closed before the next."""
        for path in sorted(self._directory.glob("*.handling")):
            if path != self._path and (left := _left(path)) is not None:
                yield left

    def _opened(self) -> mmap.mmap:
        self._directory.mkdir(parents=True, exist_ok=True)
        # Made and locked under a name that nobody looks at, or another worker could take it for a dead one's.
        file, hidden = tempfile.mkstemp(".handling", ".", self._directory.parent)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.ftruncate(file, _SIZE)
        self._path = Path(hidden).rename(self._directory / Path(hidden).name.removeprefix("."))
        weakref.finalize(self, os.close, file)  # and with it the lock
        return mmap.mmap(file, _SIZE)


def _left(path: Path) -> LeftBehind | None:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = path.exists()  # or another worker was first
    except BlockingIOError:
        free = False
    if not free:
        os.close(file)
        return None
    return LeftBehind(os.pread(file, _SIZE, 0).rstrip(b"\0").decode(errors="replace"), path, file)
