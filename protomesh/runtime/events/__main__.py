"""`python -m protomesh.runtime.events`: the dead letters of the service whose environment this is."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC

from sqlalchemy.exc import DBAPIError

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.events.dead_letters import Stuck, UnknownDeadLetter, replay, skip, stuck
from protomesh.runtime.store import Contended, Database, database_url
from protomesh.runtime.store.errors import Unreachable
from protomesh.runtime.store.url import NoDatabase, sqlite_file

__all__ = ["main"]

_WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0, 1 if the database is in use for too long, or 2 for a mistake in the call."""
    parser = argparse.ArgumentParser(prog="python -m protomesh.runtime.events", description="Events that are stuck.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what could not be handled, and what waits behind it")
    one = commands.add_parser("replay", help="have dead letters tried again")
    one.add_argument("events", nargs="*", metavar="ID", help="all of them if none is named")
    one = commands.add_parser("skip", help="give dead letters up, so that what waits behind them goes on")
    one.add_argument("events", nargs="+", metavar="ID")
    chosen = parser.parse_args(arguments)
    try:
        for line in asyncio.run(_run(chosen.command, getattr(chosen, "events", []))):
            print(line)  # noqa: T201 - a command's output
    except (CannotStart, UnknownDeadLetter) as mistake:
        print(mistake, file=sys.stderr)  # noqa: T201 - likewise
        return _WRONG_INPUT
    except (Contended, Unreachable) as contended:
        print(contended, file=sys.stderr)  # noqa: T201 - likewise
        return 1
    except DBAPIError as error:
        print(f"the database has no events, or can't be read: {error.orig}", file=sys.stderr)  # noqa: T201 - likewise
        return _WRONG_INPUT
    return 0


async def _run(command: str, events: Sequence[str]) -> list[str]:
    url = database_url()
    if url.get_backend_name() == "sqlite" and not sqlite_file(url).is_file():  # opening it would make one
        raise NoDatabase("there is no database yet: the service has never run")
    async with Database(url) as database:
        match command:
            case "list":
                return _listed(await stuck(database))
            case "replay":
                return [_counted(await replay(database, events or None), "is tried again", "are tried again")]
            case _:
                return [_counted(await skip(database, events), "is given up", "are given up")]


def _listed(found: Sequence[Stuck]) -> list[str]:
    if not found:
        return ["nothing is stuck"]
    lines: list[str] = []
    for event in found:
        key = f" key {event.key}" if event.key else ""
        other = f"for {event.subscriber}" if event.subscriber else f"from {event.publisher}"
        lines.append(f"{event.event_id}  {event.event_type}{key} {other}")
        state = (
            f"dead letter after {event.tries} {'try' if event.tries == 1 else 'tries'}"
            if event.dead
            else f"tried {'once' if event.tries == 1 else f'{event.tries} times'}, "
            f"again at {event.next_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        )
        behind = f", {event.waiting} waiting behind it" if event.waiting else ""
        lines += [f"  {state}{behind}", f"  {event.problem}"]
    return lines


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'} {one if count == 1 else many}"


if __name__ == "__main__":
    sys.exit(main())
