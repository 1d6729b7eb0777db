"""What has happened at the last service of the chain, as a test sees it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest


class LeafRecord:
    """The files that the leaf's workers write to and look at."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def events(self, key: str) -> list[str]:
        """What its handlers did for a key, in order."""
        return [event for _, event in self._lines(key)]

    def workers(self, prefix: str, event: str) -> Counter[int]:
        """How often each worker, by PID, did that for all keys that begin so."""
        keys = [path.stem for path in self._directory.glob(f"{prefix}*.record")]
        return Counter(pid for key in keys for pid, what in self._lines(key) if what == event)

    def release(self, name: str) -> None:
        """Lets the calls go on that are held under this name."""
        (self._directory / name).touch()

    async def until(self, condition: Callable[[], bool], what: str, limit: float = 30) -> None:
        """Waits until `condition` holds, while calls go on; it fails after `limit` seconds."""
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"after {limit:g} s still not: {what}")
            await asyncio.sleep(0.05)

    def _lines(self, key: str) -> list[tuple[int, str]]:
        path = self._directory / f"{key}.record"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), event) for pid, event in (line.split() for line in lines)]
