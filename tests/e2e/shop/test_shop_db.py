"""`protomesh db` on the shop's catalog: what a person types when a table has changed, and what they read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect

import pytest

from protomesh.testing.postgresql import PostgreSQL
from tests.e2e.mesh import COMMAND, Mesh, copy_shop, mesh_of
from tests.e2e.terminal import Terminal
from tests.e2e.transcript import Transcript


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Mesh]:
    """The shop, not started, without a database."""
    copy_shop(tmp_path / "shop")
    with mesh_of(tmp_path / "shop") as mesh:
        yield mesh


def products(mesh: Mesh) -> int:
    """How many products the database has."""
    with closing(connect(mesh.root / ".protomesh/data/catalog/database.sqlite3")) as connection:
        return int(connection.execute("SELECT count(*) FROM products").fetchone()[0])


def delete_products(mesh: Mesh) -> None:
    """Loses the shop's products."""
    with closing(connect(mesh.root / ".protomesh/data/catalog/database.sqlite3")) as connection:
        connection.execute("DELETE FROM products")
        connection.commit()


@contextmanager
def asked(mesh: Mesh) -> Iterator[Terminal]:
    """A terminal in which somebody has asked for a reset, and is asked back."""
    terminal = Terminal([COMMAND, "db", "reset", "catalog"], cwd=mesh.root, env=mesh.env)
    try:
        terminal.read_until("Remove everything in .protomesh/data/catalog/database.sqlite3? [y/N]:")
        yield terminal
    finally:
        terminal.close()


def test_a_database_is_migrated_once(project: Mesh, transcript: Transcript) -> None:
    """Each migration has its line, and the second time there is nothing to do."""
    transcript.check("db-upgrade", project, project.protomesh("db", "upgrade", "catalog"))
    assert products(project) > 0
    transcript.check("db-upgrade-again", project, project.protomesh("db", "upgrade", "catalog"))


def test_a_changed_table_becomes_a_migration(project: Mesh, transcript: Transcript) -> None:
    """Written, run, and then nothing is left to write."""
    project.protomesh("db", "upgrade", "catalog", check=True)
    store = project.root / "services/catalog/store.py"
    store.write_text(
        store.read_text().replace(
            "    sellable: Mapped[bool]\n", "    sellable: Mapped[bool]\n    weight: Mapped[int | None]\n"
        )
    )

    transcript.check("db-revision", project, project.protomesh("db", "revision", "catalog", "-m", "Products weigh"))
    transcript.check("db-upgrade-revision", project, project.protomesh("db", "upgrade", "catalog"))
    transcript.check("db-revision-again", project, project.protomesh("db", "revision", "catalog", "-m", "Nothing"))


def test_a_failed_migration_says_why(project: Mesh) -> None:
    """Its own words, exit code 1, and the database as it was."""
    project.protomesh("db", "upgrade", "catalog", check=True)
    (project.root / "services/catalog/migrations/versions/0004_broken.py").write_text(
        "revision, down_revision = '0004', '0003'\n\n"
        "def upgrade():\n"
        "    from alembic import op\n"
        "    op.execute('DELETE FROM products')\n"
        "    raise RuntimeError('no products today')\n"
    )
    done = project.protomesh("db", "upgrade", "catalog")
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: no products today\n")
    assert products(project) > 0


def test_a_reset_asks_first(project: Mesh, transcript: Transcript) -> None:
    """Nothing happens until somebody says yes: in a terminal, or before."""
    project.protomesh("db", "upgrade", "catalog", check=True)
    delete_products(project)

    transcript.check("db-reset-nobody-to-ask", project, project.protomesh("db", "reset", "catalog", stdin=""))
    with asked(project) as terminal:
        terminal.type("n\n")
        terminal.read_until("nothing was changed")
        assert terminal.wait() == 1
    assert products(project) == 0

    with asked(project) as terminal:
        terminal.type("y\n")
        terminal.read_until("searchable text of any length")
        assert terminal.wait() == 0
    assert products(project) > 0
    delete_products(project)
    transcript.check("db-reset", project, project.protomesh("db", "reset", "catalog", "--yes"))
    assert products(project) > 0


def test_a_wrong_service_is_told_which_there_are(project: Mesh) -> None:
    """Exit code 2: the command line is wrong."""
    done = project.protomesh("db", "upgrade", "catalogue")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mesh.yaml has no service 'catalogue'. It has: catalog, ")


def test_a_database_out_of_reach_is_named_without_its_password(project: Mesh) -> None:
    """Exit code 2, one line."""
    project.env["PROTOMESH_DATABASE_URL"] = "postgresql://shop:secret@127.0.0.1:1/catalog"
    done = project.protomesh("db", "upgrade", "catalog")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "postgresql://shop:***@127.0.0.1:1/catalog" in done.stderr
    assert "secret" not in done.stderr


def test_a_mesh_on_postgresql(project: Mesh, postgresql_server: PostgreSQL, transcript: Transcript) -> None:
    """Two workers on a database of the server: migrated once, answering, and safe from a reset while they run."""
    postgresql_server.create("catalog")
    configuration = project.root / "mesh.yaml"
    text = configuration.read_text()
    configuration.write_text(
        text.replace(
            "services:\n  catalog:\n",
            'services:\n  catalog:\n    env: {PROTOMESH_DATABASE_URL: "${CATALOG_DATABASE}"}\n',
        )
    )
    project.env["CATALOG_DATABASE"] = str(postgresql_server.url("catalog"))
    project.protomesh("up", check=True)

    found = project.call("shop.catalog.v1.CatalogService/GetProduct", {"product_id": "matcha"})
    assert found["product"]["productId"] == "matcha"
    assert postgresql_server.query("catalog", "SELECT count(*) > 0 FROM products") == [(True,)]
    assert not (project.root / ".protomesh/data/catalog/database.sqlite3").exists()
    transcript.check("db-reset-running", project, project.protomesh("db", "reset", "catalog", "--yes"))

    project.protomesh("down", check=True)
    postgresql_server.query("catalog", "DELETE FROM products")
    project.protomesh("db", "reset", "catalog", "--yes", check=True)
    assert postgresql_server.query("catalog", "SELECT count(*) > 0 FROM products") == [(True,)]
    postgresql_server.drop("catalog")
