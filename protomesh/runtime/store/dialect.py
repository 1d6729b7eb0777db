"""What differs from one kind of database to another, in one place: `sqlite` and `postgresql` are the two."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Literal, Protocol, TypeVar, cast

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from protomesh.runtime.errors import StatusError
from protomesh.runtime.lease import Leases
from protomesh.runtime.store.changes import Feed

__all__ = ["Dialect", "Role", "dialect_of"]

Role = Literal["reader", "writer"]
ResultT = TypeVar("ResultT")


class Dialect(Protocol):
    """A module that knows one kind of database. Nothing else in the store asks which kind it has."""

    READERS: int  # connections that read at once in one process

    def engine(self, url: URL, role: Role) -> AsyncEngine:
        """Connections whose transactions are what `role` needs: one moment of the database, and for a writer alone."""
        ...

    async def opened(self, source: AsyncEngine, give_up: float) -> AsyncSession:
        """A session of one of those whose transaction has begun, by the time `give_up` of the event loop's clock.

        Raises:
            Contended: others had the turn until then.
            Unreachable: there is no database to speak with.
        """
        ...

    def refusal(self, error: DBAPIError) -> StatusError | None:
        """What the failure of a statement means for the caller, nothing having happened; None if code is at fault."""
        ...

    def feed(self, url: URL) -> Feed:
        """What notices changes, by whomever."""
        ...

    def leases(self, url: URL) -> Leases:
        """What one of all workers that share the database has, on whatever machine."""
        ...

    async def kept_digest(self, url: URL, package: str) -> str | None:
        """The digest of migrations that the database says it has; None before the first. Asking changes nothing.

        Raises:
            NoDatabase: it can't be reached.
        """
        ...

    def first(self, url: URL) -> AbstractAsyncContextManager[None]:
        """Lets one of the workers in that start together; the others wait, and can be stopped while they do."""
        ...

    def migrate(self, url: URL, work: Callable[[Connection], ResultT]) -> ResultT:
        """Does `work` in one transaction, while nobody else migrates or writes. All of it is kept, or nothing.

        A database that does not exist is made where that takes no more than a file.

        Raises:
            NoDatabase: it can't be reached, or can't be what workers need.
        """
        ...

    def empty(self, url: URL) -> None:
        """Removes everything that the database holds.

        Raises:
            InUse: a worker has it open.
            NoDatabase: it can't be reached.
        """
        ...


def dialect_of(url: URL) -> Dialect:
    """The module for a URL of `database_url`. Only the one that is used is imported."""
    return cast("Dialect", import_module(f"protomesh.runtime.store.{url.get_backend_name()}"))
