from dataclasses import replace
from pathlib import Path

import pytest

from protomesh.model import Broker, Layout
from protomesh.runtime import launch
from protomesh.supervisor.environment import InvalidEnvironmentFile, read_env_file, worker_environment
from tests.unit.supervisor.programs import environment, service


def test_what_mesh_yaml_says_wins_over_the_file(root: Path, layout: Layout) -> None:
    """And what Protomesh tells a worker wins over both."""
    (root / ".env").write_text("# secrets\nexport TOKEN='a b'\nLEVEL=debug\nPROTOMESH_LISTEN=nowhere\n\n")
    catalog = replace(service("catalog", LEVEL="info"), env_file=".env")

    env = worker_environment(catalog, "unix:/s", layout, root, environment)

    assert env["TOKEN"] == "a b"
    assert env["LEVEL"] == "info"
    assert env["PROTOMESH_LISTEN"] == "unix:/s"
    assert env["PROTOMESH_EGRESS"] == f"unix:{layout.egress_socket('catalog')}"


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    """The message says which line of which file, and nothing of what is in it."""
    (tmp_path / ".env").write_text("A=1\nAPI KEY=secret\n")

    with pytest.raises(InvalidEnvironmentFile, match=r"\.env:2: the line is not NAME=value") as refused:
        read_env_file(tmp_path / ".env")
    assert "secret" not in str(refused.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """It is a mistake of the user's, so it has no traceback."""
    with pytest.raises(InvalidEnvironmentFile, match="Create it, or remove env_file"):
        read_env_file(tmp_path / "none")


def test_a_person_has_time(root: Path, layout: Layout) -> None:
    """A worker in a terminal has no deadlines, and writes for people."""
    own = worker_environment(service("catalog"), "unix:/s", layout, root, environment)
    attached = worker_environment(service("catalog"), "unix:/s", layout, root, environment, attached=True)

    assert (own["PROTOMESH_LOG"], own["PROTOMESH_DEADLINES"]) == ("json", "on")
    assert (attached["PROTOMESH_LOG"], attached["PROTOMESH_DEADLINES"]) == ("console", "off")


def test_a_worker_is_told_of_its_events(root: Path, layout: Layout) -> None:
    """What it wants to hear of, and who wants to hear of it; nobody says otherwise."""
    orders = replace(
        service("orders", PROTOMESH_SUBSCRIBERS="none"),
        subscribes=("pay.v1.Paid",),
        subscribers={"orders.v1.Placed": ("mail", "stock")},
    )

    env = worker_environment(orders, "unix:/s", layout, root, launch.environment)

    assert env["PROTOMESH_SUBSCRIBES"] == "pay.v1.Paid"
    assert env["PROTOMESH_SUBSCRIBERS"] == "orders.v1.Placed=mail,stock"


def test_a_worker_is_told_of_the_broker(root: Path, layout: Layout) -> None:
    """And of who publishes there; its account is in no text about the service."""
    mail = replace(
        service("mail"),
        subscribes=("orders.v1.Placed",),
        publishers={"orders.v1.Placed": ("orders",)},
        broker=Broker(url="nats://mesh:s3cret@host", prefix="shop"),
    )

    env = worker_environment(mail, "unix:/s", layout, root, launch.environment)

    assert env["PROTOMESH_EVENTS_URL"] == "nats://mesh:s3cret@host"
    assert env["PROTOMESH_EVENTS_PREFIX"] == "shop"
    assert env["PROTOMESH_PUBLISHERS"] == "orders.v1.Placed=orders"
    assert "s3cret" not in repr(mail)
