"""The log files: how they are kept small, and how they are read."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protomesh.model import Layout

__all__ = ["LogLine", "follow", "last_lines", "log_file", "rotate"]

_LIMIT = 10 * 1024 * 1024  # bytes of a file before it is rotated
_KEPT = 3  # rotated files of each log
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log, and the service, or "mesh", "envoy" or "access", that wrote it."""

    source: str
    text: str


def log_file(layout: Layout, source: str) -> Path:
    """The file that a service, or "mesh", "envoy" or "access", writes its log to."""
    return Path(layout.logs) / f"{source}.log"


def rotate(path: Path, *, limit: int = _LIMIT, kept: int = _KEPT) -> bool:
    """Moves the content of a file that is larger than `limit` bytes to `path`.1, and so on. Returns whether it did.

    The content is copied and the file is emptied in place, because its writers keep it open: they append (O_APPEND),
    so they go on at its new start. A line written between copy and truncation is lost.
    """
    try:
        if path.stat().st_size <= limit:
            return False
    except OSError:
        return False
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def last_lines(path: Path, count: int, *, since: int = 0) -> list[str]:
    """The last `count` lines of a file, oldest first, without reading what lies before them or before byte `since`."""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            since = since if since <= position else 0  # it was rotated meanwhile
            content = b""
            while position > since and content.count(b"\n") <= count:
                step = min(_CHUNK, position - since)
                position -= step
                file.seek(position)
                content = file.read(step) + content
    except OSError:
        return []
    return content.decode(errors="replace").splitlines()[-count:] if count else []


async def follow(layout: Layout, sources: Iterable[str], *, backlog: int = 0) -> AsyncGenerator[LogLine]:
    """Yields the last `backlog` lines of each log, then each new line, until the caller stops.

    A file that does not exist yet is waited for; one that is rotated is read on from its new start.
    """
    tails = [_Tail(source, log_file(layout, source)) for source in sources]
    for tail in tails:
        for text in last_lines(tail.path, backlog):
            yield LogLine(tail.source, text)
        tail.skip()
    while True:
        idle = True
        for tail in tails:
            for text in tail.read():
                idle = False
                yield LogLine(tail.source, text)
        if idle:
            await asyncio.sleep(0.1)


class _Tail:
    """One file that is read as it grows."""

    def __init__(self, source: str, path: Path) -> None:
        self.source = source
        self.path = path
        self._position = 0
        self._rest = b""

    def skip(self) -> None:
        """Continues after what is there now."""
        self._position = self.path.stat().st_size if self.path.exists() else 0

    def read(self) -> Sequence[str]:
        """The whole lines that have been added."""
        try:
            size = self.path.stat().st_size
            if size == self._position:
                return ()
            if size < self._position:
                self._position, self._rest = 0, b""
            with self.path.open("rb") as file:
                file.seek(self._position)
                content = self._rest + file.read(_CHUNK)
                self._position = file.tell()
        except OSError:
            return ()
        *lines, self._rest = content.split(b"\n")
        return [line.decode(errors="replace") for line in lines]
