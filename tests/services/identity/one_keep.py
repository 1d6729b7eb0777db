"""Keeps the keys once, in a process that is killed at a given step. Run by the tests of keys.

    python -m tests.services.identity.one_keep URL TIME TOLD STEP

URL is the database's, TIME the moment in ISO 8601, TOLD the file that gets a line for each set that the mesh is told,
STEP which of the calls out of `Keys` does not return: it is the last thing the process does.
"""

import asyncio
import itertools
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url

from protomesh.runtime.store import Database
from services.identity.keys import Keys, new_key


async def main(url: str, time: str, told: str, step: str) -> None:
    """Keeps the keys once."""
    steps = itertools.count(1)
    sets = Path(told).open("a")  # noqa: ASYNC230, SIM115 - this process has nothing else to do, and ends by a signal

    def passes(name: str) -> None:
        if next(steps) == int(step):
            print(name, flush=True)  # noqa: T201 - what the test reads
            os.kill(os.getpid(), signal.SIGKILL)

    def now() -> datetime:
        passes("now")
        return datetime.fromisoformat(time)

    def generate() -> tuple[str, str]:
        passes("generate")
        return new_key()

    async def publish(jwks: str) -> None:
        passes("before the mesh is told")
        sets.write(f"{jwks}\n")
        sets.flush()
        passes("before the mesh has answered")

    async with Database(make_url(url)) as db:
        keys = Keys(
            db,
            publish,
            mesh="here",
            lifetime=timedelta(days=1),
            token_lifetime=timedelta(minutes=5),
            now=now,
            generate=generate,
        )
        await keys.keep()
        passes("after everything")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
