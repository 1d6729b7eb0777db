"""Migrated databases for tests: each test has its own, and each service's migrations run once a session.

On SQLite, or on a PostgreSQL that the session starts: `protomesh_databases` in pytest's configuration names the
kinds, and every test that asks for `database` then runs on each.
"""

import itertools
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from protomesh.runtime.current import time_remaining
from protomesh.testing.postgresql import PostgreSQL

if TYPE_CHECKING:
    from sqlalchemy import URL

    from protomesh.runtime.store import Database

__all__ = ["KINDS", "Databases", "FileTemplates", "ServerTemplates", "Templates", "databases"]

KINDS = ("sqlite", "postgresql")


class Templates(Protocol):
    """A migrated database of each service, made when it is first wanted, and copied from then on.

    What implements it needs the extra `protomesh[store]`, and imports it when something is asked of it: pytest loads
    the plugin in projects without a database too.
    """

    def copy(self, package: str, directory: Path) -> "URL":
        """Makes a database that has every migration of `package`. `directory` is the test's own.

        Raises:
            LookupError: the package has no migrations.
        """
        ...

    def empty(self, directory: Path) -> "URL":
        """Says where a database would be that has nothing yet; no file of it exists."""
        ...

    def query(self, url: "URL", statement: str) -> list[tuple[Any, ...]]:
        """Executes one statement as a person with a tool would: on a connection that knows nothing of the store."""
        ...

    def remove(self, url: "URL") -> None:
        """Removes a database that nobody needs any more."""
        ...


class FileTemplates:
    """SQLite: a database is a file, which goes with the test's directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[str, Path] = {}
        self._numbers = itertools.count(1)

    def copy(self, package: str, directory: Path) -> "URL":
        """See `Templates`."""
        from protomesh.runtime.store import sqlite_url  # noqa: PLC0415 - see Templates
        from protomesh.runtime.store.revisions import upgrade  # noqa: PLC0415 - see Templates

        template = self._made.get(package)
        if template is None:
            template = self._directory / f"{package}.sqlite3"
            upgrade(sqlite_url(template), package)  # closes it, so that nothing is left in a write-ahead log
            self._made[package] = template
        file = directory / f"{package}-{next(self._numbers)}.sqlite3"
        shutil.copyfile(template, file)
        return sqlite_url(file)

    def empty(self, directory: Path) -> "URL":
        """See `Templates`."""
        from protomesh.runtime.store import sqlite_url  # noqa: PLC0415 - see Templates

        return sqlite_url(directory / "data" / f"{next(self._numbers)}.sqlite3")

    def query(self, url: "URL", statement: str) -> list[tuple[Any, ...]]:
        """See `Templates`."""
        assert url.database is not None  # made here
        with closing(sqlite3.connect(url.database)) as connection, connection:
            return connection.execute(statement).fetchall()

    def remove(self, url: "URL") -> None:
        """See `Templates`."""


class ServerTemplates:
    """PostgreSQL: a database is one of the server's, and is dropped after its test.

    `prefix` keeps the names of two that share a server apart.
    """

    def __init__(self, server: PostgreSQL, prefix: str = "") -> None:
        self._server = server
        self._prefix = prefix
        self._made: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def copy(self, package: str, directory: Path) -> "URL":
        """See `Templates`."""
        from protomesh.runtime.store.revisions import upgrade  # noqa: PLC0415 - see Templates

        del directory
        if package not in self._made:
            name = f"{self._prefix}{package}"
            self._server.create(name)
            try:
                upgrade(self._server.url(name), package)
            except BaseException:
                self._server.drop(name)
                raise
            self._made[package] = name
        return self._new(template=self._made[package])

    def empty(self, directory: Path) -> "URL":
        """See `Templates`."""
        del directory
        return self._new(template="template0")

    def query(self, url: "URL", statement: str) -> list[tuple[Any, ...]]:
        """See `Templates`."""
        assert url.database is not None  # made here
        return self._server.query(url.database, statement)

    def remove(self, url: "URL") -> None:
        """See `Templates`."""
        assert url.database is not None  # made here
        self._server.drop(url.database)

    def _new(self, template: str) -> "URL":
        name = f"test-{self._prefix}{next(self._numbers)}"
        self._server.create(name, template)
        return self._server.url(name)


class Databases:
    """The databases of one test.

    `await databases("services.catalog")` opens a new one, as it is when the service starts for the first time. It is
    closed after the test. `url` makes one without opening it: for `running`, for two workers of one service.
    """

    def __init__(self, templates: Templates, directory: Path, stack: AsyncExitStack) -> None:
        self._templates = templates
        self._directory = directory
        self._stack = stack

    async def __call__(self, package: str) -> "Database":
        """Makes a database and opens it."""
        return await self.open(self.url(package))

    def url(self, package: str) -> "URL":
        """Makes a database and says where it is.

        Raises:
            LookupError: the package has no migrations.
        """
        made = self._templates.copy(package, self._directory)
        self._stack.callback(self._templates.remove, made)
        return made

    def empty(self) -> "URL":
        """Says where a database is that has no table yet: for tests of migrations."""
        made = self._templates.empty(self._directory)
        self._stack.callback(self._templates.remove, made)
        return made

    def query(self, url: "URL", statement: str) -> list[tuple[Any, ...]]:
        """Executes one statement as a person with a tool would: on a connection that knows nothing of the store."""
        return self._templates.query(url, statement)

    async def open(self, url: "URL", *, patience: timedelta = timedelta(seconds=30)) -> "Database":
        """Opens a database, once more if it is open already: as another worker of the service would.

        A slow machine must not fail a test, so who has no deadline waits longer than in a service.
        """
        from protomesh.runtime.store import Database  # noqa: PLC0415 - see Templates

        return await self._stack.enter_async_context(Database(url, remaining=time_remaining, patience=patience))


@asynccontextmanager
async def databases(templates: Templates, directory: Path) -> AsyncGenerator[Databases]:
    """The databases of a block, closed at its end. `directory` is the block's own."""
    async with AsyncExitStack() as stack:
        yield Databases(templates, directory, stack)
