"""How long events take from a publisher's outbox to a subscriber's database, through Envoy or NATS, in batches.

    python tests/load/events.py [EVENTS] [mesh|nats]

Publisher and subscriber are workers of their own, as the mesh starts them, on SQLite. The events are there before the
relay starts; the time is from when both workers serve to the last event applied. To stay below: 1 s for 500 events.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from protomesh.contract.generate import generate_python, python_directory  # noqa: E402 - after the path is set
from protomesh.runtime.store import Database, sqlite_url  # noqa: E402
from protomesh.runtime.store.revisions import upgrade  # noqa: E402
from tests.integration.events.bakery import TRANSPORTS, Bakery, create_tables, layout_in  # noqa: E402

PROJECT = ROOT / "tests/integration/events/project"
EVENTS = 5000


async def measure(events: int, transport: str) -> float:
    """Seconds from when both workers serve to the last of so many events."""
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        project = Path(directory, "project")
        shutil.copytree(PROJECT, project)
        generate_python(project)
        sys.path.insert(0, str(python_directory(project)))
        urls = {name: sqlite_url(project / f"{name}.sqlite3") for name in ("bakery", "shelf")}
        for url in urls.values():
            upgrade(url, "protomesh.runtime.store")
        layout = layout_in(directory)
        async with (
            Database(urls["bakery"]) as outbox,
            Database(urls["shelf"]) as shelf,
            TRANSPORTS[transport](layout) as between,
        ):
            await create_tables(shelf)
            bakery = Bakery(project, layout, urls, between, outbox, shelf)
            try:
                await bakery.bake(events)
                await bakery.start("shelf", "bakery")
                begin = time.perf_counter()
                while await bakery.count_applied() < events:
                    await asyncio.sleep(0.02)
                return time.perf_counter() - begin
            finally:
                await bakery.stop()


def main() -> None:
    """Measures once."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    transport = sys.argv[2] if len(sys.argv) > 2 else "mesh"
    seconds = asyncio.run(measure(events, transport))
    print(f"{events} events in {seconds:.2f} s: {events / seconds:.0f} a second, 500 in {500 * seconds / events:.3f} s")


if __name__ == "__main__":
    main()
