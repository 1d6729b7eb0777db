"""What has happened at the leaf, in files that outlive a worker."""

import asyncio
import os
from pathlib import Path


class Record:
    """A file of lines for each key: the worker's PID and what it did. All workers write to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, key: str, event: str) -> int:
        """Adds a line; how many of that kind there are now."""
        path = self.directory / f"{key}.record"
        with path.open("a") as file:
            file.write(f"{os.getpid()} {event}\n")
        return sum(line.endswith(f" {event}") for line in path.read_text().splitlines())

    async def released(self, name: str) -> None:
        """Waits until the file `name` is there."""
        while name and not (self.directory / name).exists():
            await asyncio.sleep(0.05)
