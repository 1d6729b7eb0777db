"""Alembic, for a package's migrations: run them, compare them with the code, write the next one.

Imported by the process that migrates and by tests, never by a worker.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import DowngradeOps, UpgradeOps
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, TypeDecorator, delete, insert

from protomesh.runtime.store.dialect import dialect_of
from protomesh.runtime.store.migrate import OWN, digest_of, migrations_of
from protomesh.runtime.store.tables import MIGRATED, OWN_VERSIONS, digest_in
from protomesh.runtime.store.url import sqlite_url

__all__ = ["differences", "upgrade", "write_revision"]

ResultT = TypeVar("ResultT")

_SCRIPT = '''"""{title}"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {previous!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def upgrade(url: URL, package: str) -> list[str]:
    """Runs every migration that the database lacks, all in one transaction, and returns a line about each.

    Waits for another process that migrates the same database. A database that has migrations which this code does
    not know belongs to newer code, as happens while a release is rolled out: it is left as it is, and said so.

    Raises:
        NoDatabase: There is no database to speak with.
        NoMigrations: `package` has none.
    """

    def work(connection: Connection) -> list[str]:
        digest = digest_of(package)
        if digest_in(connection, package) == digest:
            return []
        done: list[str] = []
        for part in (OWN, package):
            if unknown := _unknown(connection, part):
                return [f"{part}: the database is newer than this code (it has {', '.join(unknown)})"]
            done += _upgrade(connection, part)
        connection.execute(delete(MIGRATED).where(MIGRATED.c.package == package))
        connection.execute(insert(MIGRATED).values(package=package, digest=digest))
        return done

    return dialect_of(url).migrate(url, work)


def differences(package: str, url: URL | None = None) -> list[str]:
    """What the code's tables have that the migrations don't make, or the reverse; empty if they agree.

    Compared in `url`, which has all the migrations, or in a SQLite file of its own.
    """

    def compare(migration: MigrationContext) -> list[str]:
        return [repr(change) for change in compare_metadata(migration, _metadata(migration))]

    return _at_head(package, compare) if url is None else _visit(url, package, compare)


def write_revision(package: str, title: str) -> Path | None:
    """Writes the next migration from what changed in the code's tables; None if nothing did. Read it before use."""

    def produce(migration: MigrationContext) -> Path | None:
        script = produce_migrations(migration, _metadata(migration))
        if script.upgrade_ops is None or script.downgrade_ops is None or script.upgrade_ops.is_empty():
            return None
        versions = migrations_of(package) / "versions"
        versions.mkdir(exist_ok=True)
        previous = ScriptDirectory.from_config(_config(package)).get_current_head()
        revision = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04}"
        slug = "_".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
        path = versions / f"{revision}_{slug}.py"
        path.write_text(
            _SCRIPT.format(
                title=title,
                revision=revision,
                previous=previous,
                upgrade=_code(script.upgrade_ops),
                downgrade=_code(script.downgrade_ops),
            ),
            encoding="utf-8",
        )
        return path

    return _at_head(package, produce)


def _code(ops: UpgradeOps | DowngradeOps) -> str:
    return render_python_code(ops, render_as_batch=True, render_item=_plain).strip()


def _plain(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    # A migration says what the database has: it must run when the code has long forgotten a type of its own.
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


def _at_head(package: str, work: Callable[[MigrationContext], ResultT]) -> ResultT:
    """Does `work` on a database of its own, gone afterwards, that has all migrations of `package`."""
    with TemporaryDirectory(prefix="protomesh-") as directory:
        url = sqlite_url(Path(directory) / "database.sqlite3")
        upgrade(url, package)
        return _visit(url, package, work)


def _visit(url: URL, package: str, work: Callable[[MigrationContext], ResultT]) -> ResultT:
    results: list[ResultT] = []

    def visit(_revision: object, migration: MigrationContext) -> list[Any]:
        results.append(work(migration))
        return []

    dialect_of(url).migrate(url, lambda connection: _run(connection, package, visit))
    return results[0]


def _upgrade(connection: Connection, package: str) -> list[str]:
    done: list[str] = []

    def to_head(revision: Any, _migration: MigrationContext) -> Iterable[Any]:
        steps = script._upgrade_revs("heads", revision)  # noqa: SLF001 - what alembic.command.upgrade does
        done.extend(f"{package}: {step.revision.revision} {step.revision.doc}" for step in steps)
        return steps

    script = ScriptDirectory.from_config(_config(package))
    _run(connection, package, to_head)
    return done


def _unknown(connection: Connection, package: str) -> list[str]:
    known = {script.revision for script in ScriptDirectory.from_config(_config(package)).walk_revisions()}
    migration = MigrationContext.configure(connection, opts={"version_table": _version_table(package)})
    return sorted(set(migration.get_current_heads()) - known)


def _run(connection: Connection, package: str, visit: Callable[[Any, MigrationContext], Iterable[Any]]) -> None:
    config = _config(package)
    config.attributes.update(connection=connection, own=package == OWN, version_table=_version_table(package))
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script, fn=visit):
        script.run_env()


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_of(package)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _version_table(package: str) -> str:
    return OWN_VERSIONS if package == OWN else "alembic_version"


def _metadata(migration: MigrationContext) -> Any:
    return migration.opts["target_metadata"]
