"""Bringing a database to the shape that a service's code expects.

A service keeps its migrations in `<package>/migrations`: an `env.py` of three lines and Alembic's scripts in
`versions/`. The store's own tables have migrations here and a version table of their own. All of it runs in a
process of its own (`python -m protomesh.runtime.store upgrade PACKAGE`), under a file lock: workers that start
together wait for the first, and no worker carries Alembic or half a migration in its memory.
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import logging
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, delete, insert, select
from sqlalchemy.exc import OperationalError

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.store.tables import MIGRATED
from protomesh.runtime.store.url import sqlite_file

__all__ = [
    "MigrationFailed",
    "NoMigrations",
    "digest_of",
    "is_migrated",
    "locked",
    "migrated",
    "migrations_of",
    "record",
]

OWN = "protomesh.runtime.store"

# How often a worker looks whether another one has migrated.
_INTERVAL_SECONDS = 0.02

_log = logging.getLogger(__name__)


class MigrationFailed(CannotStart):
    """A database could not be brought to the shape that the code expects. The text ends with the process's output."""


class NoMigrations(CannotStart, LookupError):  # noqa: N818 - it says what is wrong
    """A package that should have migrations has none."""


async def migrated(url: URL, package: str) -> None:
    """Returns when the database has every migration of `package`; runs them in a process of its own if not.

    Cheap when there is nothing to do. Any number of workers may call it at once.

    Raises:
        MigrationFailed: The process failed.
        NoMigrations: `package` has none.
    """
    migrations_of(package)
    if is_migrated(url, package):
        return
    async with _first(url):
        if not is_migrated(url, package):
            await _run(url, package)


async def _run(url: URL, package: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        OWN,
        "upgrade",
        package,
        # Where this process would look for the package; a URL in the arguments would show its password to `ps`.
        env={
            **os.environ,
            "PROTOMESH_DATABASE_URL": url.render_as_string(hide_password=False),
            "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()  # a migration is one transaction: what it had done is undone
            await process.wait()
        raise
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise MigrationFailed(f"the migrations of {package} failed with exit code {process.returncode}:\n{text}")
    for line in text.splitlines():
        _log.info("%s", line)


def migrations_of(package: str) -> Path:
    """The directory of a package's migrations.

    Raises:
        NoMigrations: There is no such package, or it has none.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise NoMigrations(f"there is no package {package}; name the one that has the directory migrations/")
    for location in spec.submodule_search_locations:
        if (Path(location) / "migrations" / "env.py").is_file():
            return Path(location) / "migrations"
    raise NoMigrations(f"{package} has no migrations/env.py; services/catalog shows what belongs in it")


def digest_of(package: str) -> str:
    """A text that changes with any migration of `package` or of the store."""
    digest = hashlib.sha256()
    for directory in (migrations_of(OWN), migrations_of(package)):
        for script in sorted((directory / "versions").glob("*.py")):
            content = script.read_bytes()
            digest.update(f"{script.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def is_migrated(url: URL, package: str) -> bool:
    """Whether the database says that it has all of today's migrations. It is not created by asking."""
    file = sqlite_file(url)
    if not file.is_file():
        return False
    engine = create_engine(url.set(drivername="sqlite"))
    try:
        with engine.connect() as connection:
            found = connection.execute(select(MIGRATED.c.digest).where(MIGRATED.c.package == package)).scalar()
    except OperationalError:  # no such table yet; or a lock, and then the process that waits for it finds out
        return False
    finally:
        engine.dispose()
    return found == digest_of(package)


def record(url: URL, package: str) -> None:
    """Writes into the database that it has all of today's migrations."""
    engine = create_engine(url.set(drivername="sqlite"))
    try:
        with engine.begin() as connection:
            connection.execute(delete(MIGRATED).where(MIGRATED.c.package == package))
            connection.execute(insert(MIGRATED).values(package=package, digest=digest_of(package)))
    finally:
        engine.dispose()


@asynccontextmanager
async def _first(url: URL) -> AsyncGenerator[None]:
    # One process is enough for all workers that start together: each costs a second of everybody's start. It does not
    # rely on this, and takes its own lock; here nobody blocks, so that a worker can be stopped while it waits.
    file = sqlite_file(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.starting").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_INTERVAL_SECONDS)
        yield


@contextmanager
def locked(url: URL) -> Generator[None]:
    """Keeps others from migrating the same database. The kernel lets go of it however the process ends."""
    file = sqlite_file(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.migrating").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
