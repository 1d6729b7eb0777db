"""The background process: `python -m protomesh.control --project DIR`. Started by `protomesh up` and `dev`."""

import argparse
import asyncio
import sys
from pathlib import Path

from protomesh.control import mesh_log
from protomesh.control.daemon import Daemon
from protomesh.control.lock import AlreadyRunning
from protomesh.supervisor import RunDirectoryRefused

ALREADY_RUNNING = 75  # EX_TEMPFAIL of sysexits.h: another `up` was first, look again


def main() -> int:
    """Runs one mesh to its end."""
    parser = argparse.ArgumentParser(prog="python -m protomesh.control", description=__doc__)
    parser.add_argument("--project", type=Path, required=True, metavar="DIR")
    parser.add_argument("--env", default="base", metavar="ENV")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--tether", type=int, metavar="FD", help="ends when nobody holds this pipe's other end")
    arguments = parser.parse_args()
    mesh_log.configure()

    async def run() -> int:
        daemon = Daemon(
            arguments.project, environment=arguments.env, keep_going=arguments.keep_going, tether=arguments.tether
        )
        return await daemon.run()

    try:
        return asyncio.run(run())
    except AlreadyRunning:
        return ALREADY_RUNNING
    except RunDirectoryRefused as refused:
        print(refused, file=sys.stderr)  # noqa: T201 - there is no other way to tell: nothing could be opened
        return 1


if __name__ == "__main__":
    sys.exit(main())
