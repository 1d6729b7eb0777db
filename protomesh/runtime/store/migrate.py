"""Bringing a database to the shape that a service's code expects.

A service keeps its migrations in `<package>/migrations`: an `env.py` of three lines and Alembic's scripts in
`versions/`. The store's own tables have migrations here and a version table of their own. All of it runs in a
process of its own (`python -m protomesh.runtime.store upgrade PACKAGE`), under a lock: workers that start together
wait for the first, and no worker carries Alembic or half a migration in its memory.
"""

import asyncio
import hashlib
import importlib.util
import logging
import os
import sys
from pathlib import Path

from sqlalchemy import URL

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.store.dialect import dialect_of

__all__ = [
    "MigrationFailed",
    "NoMigrations",
    "digest_of",
    "is_migrated",
    "migrated",
    "migrations_of",
]

OWN = "protomesh.runtime.store"

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
        NoDatabase: There is no database to speak with.
        NoMigrations: `package` has none.
    """
    migrations_of(package)
    if await is_migrated(url, package):
        return
    # One process is enough for all workers that start together: each costs a second of everybody's start. It does not
    # rely on this, and takes its own lock.
    async with dialect_of(url).first(url):
        if not await is_migrated(url, package):
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
    raise NoMigrations(
        f"{package} has no migrations/env.py; `python -m pydoc protomesh.runtime.store.env.run` shows what is in one"
    )


def digest_of(package: str) -> str:
    """A text that changes with any migration of `package` or of the store."""
    digest = hashlib.sha256()
    for directory in (migrations_of(OWN), migrations_of(package)):
        for script in sorted((directory / "versions").glob("*.py")):
            content = script.read_bytes()
            digest.update(f"{script.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


async def is_migrated(url: URL, package: str) -> bool:
    """Whether the database says that it has all of today's migrations. It is not created by asking.

    Raises:
        NoDatabase: There is no database to speak with.
    """
    return await dialect_of(url).kept_digest(url, package) == digest_of(package)
