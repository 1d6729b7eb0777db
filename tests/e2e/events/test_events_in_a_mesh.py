"""Events in a mesh as a person has it: mesh.yaml, `up`, and the verbs for what is stuck."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.control.channel import unix_channel
from protomesh.testing.nats import NatsServer, nats_program
from tests.e2e import reach
from tests.e2e.mesh import Mesh
from tests.e2e.transcript import Transcript

BAKE = "bakery.v1.BakeryService/Bake"


def bake(mesh: Mesh, oven: str, *numbers: int) -> None:
    """Has loaves baked, by a call at the edge."""
    mesh.call(BAKE, {"oven": oven, "numbers": list(numbers)})


def rows(mesh: Mesh, service: str, query: str) -> list[tuple[Any, ...]]:
    """What a service's database says."""
    with closing(connect(mesh.root / f".protomesh/data/{service}/database.sqlite3")) as connection:
        return connection.execute(query).fetchall()


def shelf(mesh: Mesh) -> list[tuple[Any, ...]]:
    """The loaves that are taken, in their order."""
    return rows(mesh, "shelf", "SELECT oven, number FROM loaves ORDER BY position")


def until(condition: Callable[[], bool]) -> None:
    """Waits until something holds."""
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def listed(mesh: Mesh) -> str:
    """What `events list` prints."""
    return mesh.protomesh("events", "list", "bakery", check=True).stdout


def test_what_one_service_publishes_another_learns(bakery: Mesh) -> None:
    """In order, once, and named; the outbox is empty afterwards. What nobody subscribes to goes nowhere."""
    bakery.protomesh("up", check=True)
    bake(bakery, "left", 1, 2, 0, 3)
    bake(bakery, "right", 1)
    until(lambda: len(shelf(bakery)) == 4)
    until(lambda: rows(bakery, "bakery", "SELECT * FROM protomesh_outbox") == [])
    assert [loaf for loaf in shelf(bakery) if loaf[0] == "left"] == [("left", 1), ("left", 2), ("left", 3)]
    assert {row[0] for row in rows(bakery, "shelf", "SELECT publisher FROM loaves")} == {"bakery"}


def test_events_wait_for_who_is_down(bakery: Mesh) -> None:
    """Over a `down` of everything, too."""
    bakery.protomesh("up", check=True)
    bake(bakery, "left", 1)
    bakery.protomesh("restart", "shelf", check=True)
    bake(bakery, "left", 2, 3)
    bakery.protomesh("down", check=True)
    bakery.protomesh("up", check=True)
    bake(bakery, "left", 4)
    until(lambda: len(shelf(bakery)) == 4)
    assert shelf(bakery) == [("left", 1), ("left", 2), ("left", 3), ("left", 4)]


def test_a_person_mends_what_is_stuck(bakery: Mesh, transcript: Transcript) -> None:
    """They see it, mend the reason, and have it tried again; or give it up."""
    transcript.check("events-never-run", bakery, bakery.protomesh("events", "list", "bakery"))
    bakery.protomesh("up", check=True)
    transcript.check("events-nothing-stuck", bakery, bakery.protomesh("events", "list", "bakery"))
    bake(bakery, "left", 12, 13, 14)
    bake(bakery, "right", 13)
    until(lambda: listed(bakery).count("dead letter after 2 tries") == 2)
    transcript.check("events-stuck", bakery, bakery.protomesh("events", "list", "bakery"))
    left, right = re.findall(r"^([0-9a-f-]{36})  ", listed(bakery), re.MULTILINE)
    transcript.check("events-skip", bakery, bakery.protomesh("events", "skip", "bakery", right))
    transcript.check("events-unknown", bakery, bakery.protomesh("events", "skip", "bakery", right))
    (bakery.root / "mended").touch()
    transcript.check("events-replay", bakery, bakery.protomesh("events", "replay", "bakery", left))
    until(lambda: shelf(bakery) == [("left", 12), ("left", 13), ("left", 14)])
    assert listed(bakery) == "nothing is stuck\n"


def test_code_and_mesh_yaml_have_to_agree(bakery: Mesh, transcript: Transcript) -> None:
    """The service does not start, and the log says which line to change."""
    path = bakery.root / "mesh.yaml"
    path.write_text(path.read_text().replace("LoafBaked", "OvenCooled"))
    transcript.check("events-differ", bakery, bakery.protomesh("up"))


async def test_a_subscriber_that_is_added_is_told_from_then_on(bakery: Mesh) -> None:
    """A changed `subscribes` restarts the publisher too: its workers are told of their subscribers when they start."""
    path = bakery.root / "mesh.yaml"
    with_shelf = path.read_text()
    path.write_text(with_shelf.partition("  shelf:")[0])
    bakery.protomesh("up", check=True)
    bake(bakery, "left", 1)
    until(lambda: rows(bakery, "bakery", "SELECT * FROM protomesh_outbox") == [])
    path.write_text(with_shelf)
    async with unix_channel(reach.layout(bakery).admin_socket) as channel:
        reloaded = await AdminServiceStub(channel).Reload(admin.ReloadRequest(), timeout=60)
    assert list(reloaded.changes) == ["restarted bakery", "started shelf"]
    bake(bakery, "left", 2)
    until(lambda: shelf(bakery) == [("left", 2)])


def test_a_broker_carries_events_if_mesh_yaml_says_so(bakery: Mesh, tmp_path: Path) -> None:
    """It may be away: services start, orders go on, and events wait. What is stuck is with the subscriber."""
    (tmp_path / "nats").mkdir()
    nats = NatsServer(nats_program(), tmp_path / "nats", password="s3cret")
    bakery.env["NATS_URL"] = nats.url
    path = bakery.root / "mesh.yaml"
    path.write_text(f'{path.read_text()}events: {{transport: nats, url: "${{NATS_URL}}"}}\n')
    bakery.protomesh("up", check=True)
    bake(bakery, "left", 1, 2)
    bake(bakery, "right", 13)
    assert len(rows(bakery, "bakery", "SELECT * FROM protomesh_outbox")) == 3
    nats.start()
    try:
        until(lambda: shelf(bakery) == [("left", 1), ("left", 2)])
        assert {row[0] for row in rows(bakery, "shelf", "SELECT publisher FROM loaves")} == {"bakery"}
        assert listed(bakery) == "nothing is stuck\n"

        def dead() -> str:
            return bakery.protomesh("events", "list", "shelf", check=True).stdout

        until(lambda: "bakery.v1.LoafBaked key right from bakery\n  dead letter after " in dead())
        bakery.protomesh("events", "skip", "shelf", dead().split()[0], check=True)
        bake(bakery, "right", 1)
        until(lambda: ("right", 1) in shelf(bakery))
    finally:
        nats.stop()
    places = (bakery.root / ".protomesh", bakery.run)
    written = [file for place in places for file in place.rglob("*") if file.is_file()]
    assert [file for file in written if b"s3cret" in file.read_bytes()] == []
    assert "s3cret" not in bakery.protomesh("status", "--json").stdout
