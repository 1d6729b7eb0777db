"""`protomesh logs`: what the services, the mesh and Envoy write."""

import asyncio
import os
import sys
from contextlib import aclosing
from pathlib import Path

from protomesh.cli.connection import wait_ended
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.logline import for_programs, for_terminal
from protomesh.cli.project import Project
from protomesh.model import Layout
from protomesh.supervisor.logs import LogLine, follow, last_lines, log_file

__all__ = ["logs", "show", "sources_of"]

_OURS = ("mesh", "envoy", "access")
_LAST_LINES = 0.3  # seconds until those of the mesh are shown that has just ended
_NEXT_LOOK = 1.0  # seconds until it is seen whether another mesh runs


def logs(directory: Path | None, service: str | None, *, follow: bool, lines: int) -> None:
    """Shows the ends of the logs, and with `follow` what is written from now on.

    Raises:
        Failure: there is no log of that name.
    """
    project = Project.find(directory)
    known = sources_of(project.layout)
    if service is not None and service not in known:
        raise Failure(f"there is no log of {service!r}. There are: {', '.join(known) or 'none yet'}.", ExitCode.INVALID)
    # Every call of every client is in the access log: it is shown when it is asked for.
    sources = [service] if service else [name for name in known if name != "access"]
    if follow:
        asyncio.run(_follow(project.layout, sources, backlog=lines))
        return
    width = max(map(len, sources), default=0)
    for source in sources:
        for text in last_lines(log_file(project.layout, source), lines):
            _print(LogLine(source, text), width)


async def _follow(layout: Layout, sources: list[str], *, backlog: int) -> None:
    """Prints until Ctrl-C, over the end of a mesh: the next one writes to the same files."""
    telling = asyncio.create_task(_tell_of_ends(layout))
    try:
        await show(layout, sources, backlog=backlog)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell_of_ends(layout: Layout) -> None:
    while True:
        if await wait_ended(layout):
            await asyncio.sleep(_LAST_LINES)
            print("the mesh has ended; the logs of the next one will follow here. Ctrl-C ends this.", file=sys.stderr)
        await asyncio.sleep(_NEXT_LOOK)


async def show(layout: Layout, sources: list[str], *, backlog: int) -> None:
    """Prints what is written to some logs, until it is cancelled."""
    width = max(map(len, sources), default=0)
    async with aclosing(follow(layout, sources, backlog=backlog)) as lines:
        async for line in lines:
            _print(line, width)


def sources_of(layout: Layout) -> list[str]:
    """Whose logs there are, ours last."""
    found = [path.stem for path in Path(layout.logs).glob("*.log")]
    return sorted(found, key=lambda name: (name in _OURS, name))


def _print(line: LogLine, width: int) -> None:
    terminal = sys.stdout.isatty()
    colour = terminal and "NO_COLOR" not in os.environ
    print(for_terminal(line, width=width, colour=colour) if terminal else for_programs(line), flush=True)
