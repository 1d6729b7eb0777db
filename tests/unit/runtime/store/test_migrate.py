import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from protomesh.runtime.store import Database, MigrationFailed, migrated
from protomesh.runtime.store.__main__ import main
from protomesh.runtime.store.migrate import is_migrated
from protomesh.runtime.store.revisions import differences, upgrade, write_revision
from protomesh.testing.database import Databases

Rows = Callable[[str], list[str]]

STORE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Toy(Base):
    __tablename__ = "toys"
    name: Mapped[str] = mapped_column(primary_key=True)
"""
ENV = """
from protomesh.runtime.store import env
from {package}.store import Base

env.run(Base.metadata)
"""
FIRST = """'''toys'''
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.create_table("toys", sa.Column("name", sa.String(), primary_key=True))
    op.execute("INSERT INTO toys VALUES ('ball')")
"""
SECOND = """'''bricks'''
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    op.execute("INSERT INTO toys VALUES ('brick')")
    {then}
"""


class Package:
    """A service's package of the tests' own, in a directory that is on the path."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.root = directory / name
        self.versions = self.root / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        (self.root / "__init__.py").touch()
        self.declare(STORE)
        (self.root / "migrations" / "env.py").write_text(ENV.format(package=name))
        (self.versions / "0001_toys.py").write_text(FIRST)

    def declare(self, store: str) -> None:
        """Writes the code's tables. Who imported other ones before imports these."""
        (self.root / "store.py").write_text(store)
        for module in [module for module in sys.modules if module.partition(".")[0] == self.name]:
            del sys.modules[module]

    def add_second(self, then: str = "pass") -> None:
        """A second migration, which ends with a statement of the test's."""
        (self.versions / "0002_bricks.py").write_text(SECOND.format(then=then))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Generator[Package]:
    """A package that this process and the ones it starts can import."""
    name = f"toys_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Package(tmp_path, name)
    yield made
    made.declare(STORE)


@pytest.fixture
def fresh(database: Databases) -> URL:
    """A database that has nothing yet, or does not even exist."""
    return database.empty()


@pytest.fixture
def rows(database: Databases, fresh: URL) -> Rows:
    """The first column of a query."""
    return lambda query: [row[0] for row in database.query(fresh, query)]


async def test_a_new_database_gets_everything(fresh: URL, package: Package, rows: Rows) -> None:
    """The store's tables and the service's."""
    done = upgrade(fresh, package.name)
    assert list(dict.fromkeys(line.partition(": ")[0] for line in done)) == ["protomesh.runtime.store", package.name]
    assert rows("SELECT name FROM toys") == ["ball"]
    assert await is_migrated(fresh, package.name)


def test_nothing_is_done_twice(fresh: URL, package: Package) -> None:
    """The second time there is nothing to say."""
    upgrade(fresh, package.name)
    assert upgrade(fresh, package.name) == []


async def test_a_new_migration_is_noticed(fresh: URL, package: Package) -> None:
    """A worker of the next release sees at once that there is something to do."""
    upgrade(fresh, package.name)
    package.add_second()
    assert not await is_migrated(fresh, package.name)
    assert upgrade(fresh, package.name) == [f"{package.name}: 0002 bricks"]


async def test_a_failed_migration_leaves_the_database_as_it_was(fresh: URL, package: Package, rows: Rows) -> None:
    """All or nothing: what came before the failing line is undone."""
    upgrade(fresh, package.name)
    package.add_second(then="raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        upgrade(fresh, package.name)
    assert rows("SELECT name FROM toys") == ["ball"]
    assert not await is_migrated(fresh, package.name)


def test_a_database_of_newer_code_is_left_alone(fresh: URL, package: Package, rows: Rows) -> None:
    """While a release is rolled out a worker of the older one may start again."""
    package.add_second()
    upgrade(fresh, package.name)
    (package.versions / "0002_bricks.py").unlink()
    assert upgrade(fresh, package.name) == [f"{package.name}: the database is newer than this code (it has 0002)"]
    assert rows("SELECT name FROM toys ORDER BY name") == ["ball", "brick"]


async def upgrading(url: URL, package: Package) -> asyncio.subprocess.Process:
    """A process that migrates."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "protomesh.runtime.store", "upgrade", package.name),
        env={**os.environ, "PROTOMESH_DATABASE_URL": str(url), "PYTHONPATH": str(package.root.parent)},
        stdout=asyncio.subprocess.DEVNULL,
    )


async def test_two_processes_at_once_migrate_once(fresh: URL, package: Package, rows: Rows) -> None:
    """As workers on two machines, or a person and a worker: neither fails, and nothing is done twice."""
    processes = await asyncio.gather(upgrading(fresh, package), upgrading(fresh, package))
    assert [await process.wait() for process in processes] == [0, 0]
    assert rows("SELECT name FROM toys") == ["ball"]
    assert await is_migrated(fresh, package.name)


async def test_workers_that_start_together_start_one_process(
    fresh: URL, package: Package, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    """The others wait for it, and have nothing left to do."""
    start = asyncio.create_subprocess_exec
    started: list[asyncio.subprocess.Process] = []

    async def counting(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counting)
    await asyncio.gather(*(migrated(fresh, package.name) for _ in range(4)))
    assert len(started) == 1
    assert rows("SELECT name FROM toys") == ["ball"]


async def test_many_workers_run_each_migration_once(fresh: URL, package: Package, rows: Rows, tmp_path: Path) -> None:
    """Each a process of its own, as a service's workers are: none fails, and one of them does the work."""
    ran = tmp_path / "ran"
    package.add_second(then=f"open({str(ran)!r}, 'a').write('ran\\n')")
    worker = (
        "import asyncio, os, sys\n"
        "from protomesh.runtime.store import database_url, migrated\n"
        "asyncio.run(migrated(database_url(), sys.argv[1]))\n"
    )
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", worker, package.name),
            env={**os.environ, "PROTOMESH_DATABASE_URL": str(fresh), "PYTHONPATH": str(package.root.parent)},
        )
        for _ in range(6)
    ]
    assert [await worker.wait() for worker in workers] == [0] * 6
    assert ran.read_text() == "ran\n"
    assert rows("SELECT name FROM toys ORDER BY name") == ["ball", "brick"]


async def test_the_second_process_waits_for_the_first(fresh: URL, package: Package, tmp_path: Path, rows: Rows) -> None:
    """Its migration stands still on a fifo; the other one neither fails nor begins."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    package.add_second(then=f"open({str(fifo)!r}).read()")
    first = asyncio.create_task(migrated(fresh, package.name))
    write_end = await asyncio.to_thread(fifo.open, "w")  # returns when the migration has opened it to read
    second = await upgrading(fresh, package)
    ended = asyncio.create_task(second.wait())
    done, _ = await asyncio.wait([first, ended], timeout=1.5)
    assert not done
    write_end.close()
    await first
    assert await ended == 0
    assert rows("SELECT name FROM toys ORDER BY name") == ["ball", "brick"]


async def test_a_cancelled_start_leaves_no_process_and_no_lock(
    fresh: URL, package: Package, tmp_path: Path, rows: Rows
) -> None:
    """A worker that is stopped while it migrates: what was done is undone, and the next one can."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    package.add_second(then=f"open({str(fifo)!r}).read()")
    starting = asyncio.create_task(migrated(fresh, package.name))
    write_end = await asyncio.to_thread(fifo.open, "w")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    write_end.close()
    package.add_second()
    await migrated(fresh, package.name)
    assert rows("SELECT name FROM toys ORDER BY name") == ["ball", "brick"]


async def test_a_failure_shows_what_the_process_said(fresh: URL, package: Package) -> None:
    """The worker's log has the reason, and the worker does not start."""
    package.add_second(then="raise RuntimeError('no bricks today')")
    with pytest.raises(MigrationFailed, match="no bricks today"):
        await migrated(fresh, package.name)


async def test_a_package_without_migrations_is_named(fresh: URL) -> None:
    """A mistake in a composition root."""
    with pytest.raises(LookupError, match=r"protomesh\.model has no migrations"):
        await migrated(fresh, "protomesh.model")


def test_code_and_migrations_are_compared(package: Package) -> None:
    """A column that no migration makes; our own tables and Alembic's are nobody's business."""
    assert differences(package.name) == []
    package.declare(STORE + "    weight: Mapped[int]\n")
    assert ["weight" in difference for difference in differences(package.name)] == [True]


def test_the_next_migration_is_written(fresh: URL, package: Package, rows: Rows) -> None:
    """From what changed in the code's tables; it runs, and then there is no difference."""
    upgrade(fresh, package.name)
    package.declare(STORE + "    weight: Mapped[int | None]\n")
    written = write_revision(package.name, "Toys have a weight")
    assert written == package.versions / "0002_toys_have_a_weight.py"
    assert differences(package.name) == []
    assert upgrade(fresh, package.name) == [f"{package.name}: 0002 Toys have a weight"]
    assert rows("SELECT weight FROM toys") == [None]
    assert write_revision(package.name, "Nothing") is None


def test_the_first_migration_is_written(fresh: URL, package: Package, rows: Rows) -> None:
    """From tables alone; and with SQL's own types, which outlive those of the code."""
    package.declare(
        "from datetime import datetime\nfrom protomesh.runtime.store import UtcDateTime\n"
        + STORE
        + "    made_time: Mapped[datetime] = mapped_column(UtcDateTime)\n"
    )
    shutil.rmtree(package.versions)
    written = write_revision(package.name, "Toys")
    assert written == package.versions / "0001_toys.py"
    assert upgrade(fresh, package.name)[-1] == f"{package.name}: 0001 Toys"
    assert rows("SELECT made_time FROM toys") == []
    assert differences(package.name, fresh) == []


def test_the_stores_own_migrations_make_the_stores_own_tables(database: Databases) -> None:
    """The same comparison, of ourselves."""
    package = "protomesh.runtime.store"
    assert differences(package, database.url(package)) == []


async def test_a_reset_begins_again(
    fresh: URL, package: Package, rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything is gone, and then there is what migrations make; not while a worker has it open."""
    monkeypatch.setenv("PROTOMESH_DATABASE_URL", str(fresh))
    upgrade(fresh, package.name)
    async with Database(fresh) as worker:
        async with worker.begin() as tx:
            await tx.execute(text("INSERT INTO toys VALUES ('doll')"))
        assert main(["reset", package.name]) == 2
        assert "is open in another process" in capsys.readouterr().err
    assert rows("SELECT name FROM toys ORDER BY name") == ["ball", "doll"]
    assert main(["reset", package.name]) == 0
    assert rows("SELECT name FROM toys") == ["ball"]
    shown = capsys.readouterr().out.splitlines()
    assert (shown[0], shown[-1]) == (f"{package.name}: emptied", f"{package.name}: 0001 toys")


def test_a_reset_without_migrations_removes_nothing(
    fresh: URL, package: Package, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the call: nothing would be there afterwards."""
    monkeypatch.setenv("PROTOMESH_DATABASE_URL", str(fresh))
    upgrade(fresh, package.name)
    assert main(["reset", "protomesh.model"]) == 2
    assert rows("SELECT name FROM toys") == ["ball"]


def test_the_command_says_what_it_did(
    fresh: URL, package: Package, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a migration."""
    monkeypatch.setenv("PROTOMESH_DATABASE_URL", str(fresh))
    assert main(["upgrade", package.name]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{package.name}: 0001 toys"


def test_the_command_fails_on_a_difference(package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what to run."""
    package.declare(STORE + "    weight: Mapped[int]\n")
    assert main(["check", package.name]) == 1
    assert "revision PACKAGE" in capsys.readouterr().out


def test_a_mistake_in_the_call_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback, exit code 2."""
    monkeypatch.delenv("PROTOMESH_DATABASE_URL", raising=False)
    monkeypatch.delenv("PROTOMESH_DATA", raising=False)
    assert main(["upgrade", "services.catalog"]) == 2
    assert capsys.readouterr().err.startswith("no database is named")
