"""The whole shop on PostgreSQL, each service on a database of its own: on one machine, and on two that share them."""

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from protomesh.testing.postgresql import PostgreSQL
from tests.e2e.mesh import Mesh, copy_shop, mesh_of
from tests.e2e.shop.test_story import play

SERVICE = re.compile(r"^  ([a-z]+):\n(?=    run: )", re.MULTILINE)


@pytest.fixture
def machines(tmp_path: Path, postgresql_server: PostgreSQL) -> Iterator[tuple[Mesh, Mesh]]:
    """Two meshes of the shop, not started, whose services find their databases in the environment."""
    copy_shop(tmp_path / "here")
    configuration = tmp_path / "here/mesh.yaml"
    text = configuration.read_text()
    services = SERVICE.findall(text)
    assert len(services) == 7
    configuration.write_text(SERVICE.sub(r'\g<0>    env: {PROTOMESH_DATABASE_URL: "${\1_database}"}\n', text))
    copy_shop(tmp_path / "there")
    (tmp_path / "there/mesh.yaml").write_text(configuration.read_text())
    databases = {name: f"{name} of {tmp_path.name}" for name in services}
    with ExitStack() as stack:
        for database in databases.values():
            postgresql_server.create(database)
            stack.callback(postgresql_server.drop, database)
        here, there = (stack.enter_context(mesh_of(tmp_path / name)) for name in ("here", "there"))
        for machine in (here, there):
            machine.env |= {f"{n}_database": str(postgresql_server.url(database)) for n, database in databases.items()}
        yield here, there


def test_the_whole_story_goes_well_on_postgresql(machines: tuple[Mesh, Mesh]) -> None:
    """Also on a second machine that shares the databases: who has logged in on one is known on the other."""
    here, there = machines
    here.protomesh("up", check=True)
    done = play(here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(here.root.glob(".protomesh/data/*/database.sqlite3")) == []

    there.protomesh("up", check=True)
    done = play(there)
    assert done.returncode == 0, done.stdout + done.stderr

    credentials = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    with (
        httpx.Client(base_url=f"http://{here.gateway}", timeout=20) as one,
        httpx.Client(base_url=f"http://{there.gateway}", timeout=20) as other,
    ):
        one.post("/v1/users:register", json=credentials).raise_for_status()
        for login, use in ((one, other), (other, one)):
            tokens = login.post("/v1/users:login", json=credentials).raise_for_status().json()["tokens"]
            token = {"authorization": f"Bearer {tokens['accessToken']}"}
            assert (
                use.get("/v1/users/me", headers=token).raise_for_status().json()["user"]["email"]
                == credentials["email"]
            )

    here.protomesh("down", check=True)
    done = play(there)  # with the leases that the other one had
    assert done.returncode == 0, done.stdout + done.stderr
