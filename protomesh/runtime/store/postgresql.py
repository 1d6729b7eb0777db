"""PostgreSQL as several workers share it: one moment per transaction, writers in turn, changes told by the server.

Writers take turns for the reason that decision 0063 gives. The rules are PostgreSQL's own:
https://www.postgresql.org/docs/current/transaction-iso.html and
https://www.postgresql.org/docs/current/explicit-locking.html.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import URL, Connection, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store.changes import Feed
from protomesh.runtime.store.dialect import Role
from protomesh.runtime.store.errors import Contended, InUse, Unreachable, Unstorable
from protomesh.runtime.store.postgresql_connection import LOST, SETTINGS, connect, reason
from protomesh.runtime.store.postgresql_lease import AdvisoryLeases
from protomesh.runtime.store.postgresql_listener import Listener
from protomesh.runtime.store.postgresql_schema import EMPTY, TELL, TELL_OF_EVERY_TABLE
from protomesh.runtime.store.tables import MIGRATED, digest_in
from protomesh.runtime.store.uninterrupted import uninterrupted
from protomesh.runtime.store.url import NoDatabase, shown

__all__ = [
    "READERS",
    "empty",
    "engine",
    "feed",
    "first",
    "kept_digest",
    "leases",
    "migrate",
    "opened",
    "refusal",
]

ResultT = TypeVar("ResultT")

# A worker has these, one that writes, and one that listens: a server allows 100 by default.
READERS = 4

# Until a connection whose server is silent counts as lost. No statement of a handler takes that long.
_SILENT_SECONDS = 30.0

# The least that a writer waits for its turn: to ask for it takes a moment, even if nobody else does.
_LEAST_SECONDS = 0.1

# For workers of an older release, which write while a newer one migrates.
_MIGRATION_WAITS_SECONDS = 60

# Numbers of advisory locks, which belong to one database: whoever migrates, and the first of workers that start.
_MIGRATING = 0x70726F746F01
_STARTING = 0x70726F746F02

# A writer that stands still, on a machine that is gone or stopped, must not keep its turn.
_WORKER_SETTINGS = SETTINGS | {
    "default_transaction_isolation": "repeatable read",
    "idle_in_transaction_session_timeout": "60s",
}

# The turn to write. The first statement of a transaction, and not a SELECT: that would settle which moment the
# transaction sees before the wait is over. The mode conflicts with itself, and with nothing that reads.
_TURN = f"LOCK TABLE {MIGRATED.name} IN SHARE UPDATE EXCLUSIVE MODE"

_CONTENDED = {
    "40001",  # serialization_failure: somebody wrote without waiting for a turn
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
}
_NOT_IN_REPERTOIRE = "22021"  # character_not_in_repertoire: of what protobuf calls a string, NUL only
_STOOD_STILL = "25P03"  # idle_in_transaction_session_timeout

_log = logging.getLogger(__name__)


def engine(url: URL, role: Role) -> AsyncEngine:
    """An engine whose transactions see one moment; a writer's begin with its turn, and a reader can't write."""
    writer = role == "writer"
    made = _engine(
        url,
        _WORKER_SETTINGS | ({} if writer else {"default_transaction_read_only": "on"}),
        _SILENT_SECONDS,
        pool_size=1 if writer else READERS,
        max_overflow=0,
    )

    @event.listens_for(made.sync_engine, "checkout")
    def refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
        # The server was restarted, or ended a connection that stood still: the pool makes another.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(made.sync_engine, "handle_error")
    def tell_silence(failure: ExceptionContext) -> None:
        # The driver's own error, which SQLAlchemy would hand on as if it were the handler's.
        if isinstance(failure.original_exception, TimeoutError):
            raise Unreachable from failure.original_exception

    made.sync_engine.update_execution_options(protomesh_writer=writer)
    return made


async def opened(source: AsyncEngine, give_up: float) -> AsyncSession:
    """A session whose transaction has begun. The server keeps a queue of who waits for the turn; one can leave it."""
    session = AsyncSession(source, expire_on_commit=False)
    try:
        connection = await _connected(session)
        if source.get_execution_options()["protomesh_writer"]:
            async with asyncio.timeout_at(max(give_up, asyncio.get_running_loop().time() + _LEAST_SECONDS)):
                await _take_turn(connection)
    except ProgrammingError as error:
        await uninterrupted(session.close())
        raise NoDatabase(
            "the database lacks the store's own tables: name the service's package in mesh.database(migrations=...)"
        ) from error
    except TimeoutError:
        await uninterrupted(session.close())
        raise Contended from None
    except BaseException:
        await uninterrupted(session.close())
        raise
    return session


async def _take_turn(connection: AsyncConnection) -> None:
    try:
        await connection.exec_driver_sql(_TURN)
    except Unreachable as silence:
        raise Contended from silence  # here it means that others have the turn


async def _connected(session: AsyncSession) -> AsyncConnection:
    try:
        return await session.connection()
    except (*LOST, DBAPIError) as error:
        _log.warning("the database can't be reached: %s", reason(error))
        raise Unreachable from error


def refusal(error: DBAPIError) -> StatusError | None:
    """What the caller is told of others who were in the way, of a lost connection, and of a text with NUL in it."""
    state = getattr(error.orig, "sqlstate", None)
    if state in _CONTENDED:
        return Contended()
    if state == _NOT_IN_REPERTOIRE:
        return Unstorable()
    if error.connection_invalidated or state == _STOOD_STILL:
        return Unreachable()
    return None


def feed(url: URL) -> Feed:
    """The changes of a database."""
    return Listener(url)


def leases(url: URL) -> AdvisoryLeases:
    """Locks that the server keeps."""
    return AdvisoryLeases(url)


async def kept_digest(url: URL, package: str) -> str | None:
    """The digest that the database has for a package's migrations."""
    return await _once(url, lambda connection: digest_in(connection, package))


@asynccontextmanager
async def first(url: URL) -> AsyncGenerator[None]:
    """An advisory lock of a connection, which the server lets go of however the process ends."""
    try:
        connection = await connect(url, SETTINGS)
    except LOST as error:
        raise _no_database(url, error) from None
    try:
        await connection.fetchval("SELECT pg_advisory_lock($1)", _STARTING)
        yield
    finally:
        connection.terminate()


def migrate(url: URL, work: Callable[[Connection], ResultT]) -> ResultT:
    """Does `work` in one transaction, under an advisory lock, and in the turn of a writer.

    Afterwards every table tells of its changes.
    """

    def alone(connection: Connection) -> ResultT:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_WAITS_SECONDS}s'")
        if connection.exec_driver_sql(f"SELECT to_regclass('{MIGRATED.name}')").scalar() is not None:
            connection.exec_driver_sql(_TURN)
        result = work(connection)
        connection.exec_driver_sql(TELL)
        connection.exec_driver_sql(TELL_OF_EVERY_TABLE)
        return result

    return _apart(_once(url, alone))


def empty(url: URL) -> None:
    """Drops everything in the schema. The database itself stays: it may not be ours to make again."""

    def alone(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        others = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
        ).scalar_one()
        if others:
            raise InUse(f"{url.database} is open in another process; end that first")
        connection.exec_driver_sql(EMPTY)

    _apart(_once(url, alone))


async def _once(url: URL, work: Callable[[Connection], ResultT]) -> ResultT:
    """Does `work` in one transaction of a connection of its own."""
    made = _engine(url, SETTINGS, poolclass=NullPool)
    try:
        try:
            connection = await made.connect()
        except (*LOST, DBAPIError) as error:
            raise _no_database(url, error) from None
        try:
            async with connection.begin():
                return await connection.run_sync(work)
        finally:
            await connection.close()
    finally:
        await made.dispose()


def _apart(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    # The driver needs an event loop, and the caller, a test for one, may be in one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def _engine(url: URL, settings: dict[str, str], silent: float | None = None, **options: Any) -> AsyncEngine:
    # Connections are made here and not from the URL by SQLAlchemy, which knows fewer of its parameters (sslmode).
    made = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url, settings, silent),
        hide_parameters=True,  # an error of SQLAlchemy's says else what should have been written, and ends in a log
        **options,
    )

    @event.listens_for(made.sync_engine, "handle_error")
    def leave_rows_out(failure: ExceptionContext) -> None:
        # The server shows the whole row that it refuses, of whatever column.
        told = (failure.sqlalchemy_exception, failure.original_exception, failure.original_exception.__cause__)
        for error in told:
            if error is not None:
                error.args = tuple(_without_detail(text) for text in error.args)
            if isinstance(error, asyncpg.PostgresError):
                error.detail = None

    return made


def _without_detail(text: object) -> object:
    return text.partition("\nDETAIL:")[0] if isinstance(text, str) else text


def _no_database(url: URL, error: BaseException) -> NoDatabase:
    return NoDatabase(f"can't connect to {shown(url)}: {reason(error)}. PROTOMESH_DATABASE_URL names it; is it there?")
