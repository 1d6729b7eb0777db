"""Where a service's database is."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from protomesh.runtime.cannot_start import CannotStart

__all__ = ["NoDatabase", "database_url", "shown", "sqlite_file", "sqlite_url"]

_FILE = "database.sqlite3"
_EXAMPLES = "sqlite:////absolute/path or postgresql://user:password@host/database"


class NoDatabase(CannotStart, ValueError):  # noqa: N818 - it says what is wrong
    """The environment names no database, or one that can't be."""


def database_url(environment: Mapping[str, str] | None = None) -> URL:
    """The database that the environment names.

    `PROTOMESH_DATABASE_URL` if it is set, else a SQLite file in `PROTOMESH_DATA`, the directory that the service
    keeps its own data in. The URL never belongs in a log: it may hold a password (`shown` leaves it out).

    Raises:
        NoDatabase: neither is set, or the URL is not one of a database that the store knows.
    """
    values = os.environ if environment is None else environment
    if text := values.get("PROTOMESH_DATABASE_URL"):
        return _known(text)
    if directory := values.get("PROTOMESH_DATA"):
        return sqlite_url(Path(directory) / _FILE)
    raise NoDatabase(
        "no database is named: set PROTOMESH_DATA to the directory to keep it in, or PROTOMESH_DATABASE_URL"
    )


def shown(url: URL) -> str:
    """The URL for people: a password in it is stars, also one among its parameters."""
    secrets = {name: "***" for name in url.query if "password" in name}
    return url.set(drivername=url.get_backend_name()).update_query_dict(secrets).render_as_string()


def sqlite_url(file: Path) -> URL:
    """The URL of one SQLite file. A relative path is made absolute, so that another process means the same file."""
    return URL.create("sqlite+aiosqlite", database=str(file.absolute()))


def sqlite_file(url: URL) -> Path:
    """The file that a SQLite URL names."""
    assert url.database is not None  # refused by database_url, never made by sqlite_url
    return Path(url.database)


def _known(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the latter for a port that is no number: it may be half of a password
        raise NoDatabase(f"PROTOMESH_DATABASE_URL is not a URL, as {_EXAMPLES}") from None
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database == ":memory:":
                raise NoDatabase("PROTOMESH_DATABASE_URL needs a file: a database in memory can't be shared by workers")
            return sqlite_url(Path(url.database))
        case "postgresql" | "postgres":
            if not url.database:
                raise NoDatabase("PROTOMESH_DATABASE_URL names a PostgreSQL server, and needs a database: .../NAME")
            if find_spec("asyncpg") is None:
                raise NoDatabase("PostgreSQL needs asyncpg: pip install 'protomesh[postgresql]'")
            return url.set(drivername="postgresql+asyncpg")
        case other:
            raise NoDatabase(f"PROTOMESH_DATABASE_URL names {other!r}; the store knows {_EXAMPLES}")
