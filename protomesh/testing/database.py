"""Migrated databases for tests: each its own file, and each service's migrations run once a session."""

import itertools
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from protomesh.runtime.current import time_remaining

if TYPE_CHECKING:
    from sqlalchemy import URL

    from protomesh.runtime.store import Database

__all__ = ["Databases", "Templates", "databases"]


class Templates:
    """One migrated file of each service, made when it is first wanted, and copied from then on.

    It needs the extra `protomesh[store]`, and imports it when something is asked of it: pytest loads the plugin in
    projects without a database too.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[str, Path] = {}

    def copy(self, package: str, file: Path) -> None:
        """Puts a database that has every migration of `package` at `file`.

        Raises:
            LookupError: the package has no migrations.
        """
        from protomesh.runtime.store import sqlite_url  # noqa: PLC0415 - see the class
        from protomesh.runtime.store.revisions import upgrade  # noqa: PLC0415 - see the class

        template = self._made.get(package)
        if template is None:
            template = self._directory / f"{package}.sqlite3"
            upgrade(sqlite_url(template), package)  # closes it, so that nothing is left in a write-ahead log
            self._made[package] = template
        shutil.copyfile(template, file)


class Databases:
    """The databases of one test.

    `await databases("services.catalog")` opens a new one, as it is when the service starts for the first time. It is
    closed after the test. `url` makes one without opening it: for `running`, for two workers of one service.
    """

    def __init__(self, templates: Templates, directory: Path, stack: AsyncExitStack) -> None:
        self._templates = templates
        self._directory = directory
        self._stack = stack
        self._numbers = itertools.count(1)

    async def __call__(self, package: str) -> "Database":
        """Makes a database and opens it."""
        return await self.open(self.url(package))

    def url(self, package: str) -> "URL":
        """Makes a database and says where it is.

        Raises:
            LookupError: the package has no migrations.
        """
        from protomesh.runtime.store import sqlite_url  # noqa: PLC0415 - see Templates

        file = self._directory / f"{package}-{next(self._numbers)}.sqlite3"
        self._templates.copy(package, file)
        return sqlite_url(file)

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
