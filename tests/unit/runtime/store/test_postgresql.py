import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import URL, func, insert, select, text

from protomesh.runtime import detached, every
from protomesh.runtime.jobs import Jobs
from protomesh.runtime.lease import Lease
from protomesh.runtime.store import (
    Contended,
    Database,
    Transaction,
    Unconfirmed,
    Unreachable,
    Unstorable,
    changes,
    migrated,
    postgresql,
)
from protomesh.runtime.store.dialect import dialect_of
from protomesh.runtime.store.migrate import is_migrated
from protomesh.runtime.store.revisions import upgrade
from protomesh.runtime.store.tables import REQUESTS
from protomesh.runtime.store.url import NoDatabase
from protomesh.testing.database import Databases, ServerTemplates, databases
from protomesh.testing.postgresql import PostgreSQL

PACKAGE = "protomesh.runtime.store"
SOON = timedelta(seconds=10).total_seconds()
SILENT = URL.create("postgresql+asyncpg", "shop", "secret", database="shop", query={"host": "/nowhere"})


@pytest.fixture(scope="module")
def templates(postgresql_server: PostgreSQL) -> ServerTemplates:
    """Databases of this module, which is about PostgreSQL only."""
    return ServerTemplates(postgresql_server, "postgresql only ")


@pytest.fixture
async def server(templates: ServerTemplates, tmp_path: Path) -> AsyncGenerator[Databases]:
    """Makes databases."""
    async with databases(templates, tmp_path) as made:
        yield made


@pytest.fixture
def url(server: Databases) -> URL:
    """A migrated database with a table of one number."""
    made = server.url(PACKAGE)
    dialect_of(made).migrate(
        made, lambda connection: connection.exec_driver_sql("CREATE TABLE things AS SELECT 1 AS number")
    )
    return made


@pytest.fixture
async def db(server: Databases, url: URL) -> Database:
    """That database, open."""
    return await server.open(url)


async def double(db: Database) -> None:
    """Reads, and writes what it made of it."""
    async with db.begin() as tx:
        number = (await tx.execute(text("SELECT number FROM things"))).scalar_one()
        await tx.execute(text("UPDATE things SET number = :number"), {"number": 2 * number})


async def number(db: Database) -> int:
    """The number."""
    async with db.read() as tx:
        return int((await tx.execute(text("SELECT number FROM things"))).scalar_one())


async def test_who_writes_without_its_turn_is_noticed(db: Database, server: Databases) -> None:
    """A person with a tool, between our read and our write: ABORTED, and their change is not lost."""

    async def overtaken() -> None:
        async with db.begin() as tx:
            found = (await tx.execute(text("SELECT number FROM things"))).scalar_one()
            server.query(db.url, "UPDATE things SET number = 7")
            await tx.execute(text("UPDATE things SET number = :number"), {"number": found + 1})

    with pytest.raises(Contended) as contended:
        await overtaken()
    assert contended.value.code is grpc.StatusCode.ABORTED
    assert await number(db) == 7


async def test_a_writer_sees_what_was_kept_while_it_waited(db: Database, url: URL, server: Databases) -> None:
    """The moment that it sees begins with its turn, and not with its wait."""
    other = await server.open(url)
    async with db.begin() as tx:
        waiting = asyncio.create_task(double(other))
        await asyncio.wait([waiting], timeout=0.2)
        await tx.execute(text("UPDATE things SET number = 10"))
    await waiting
    assert await number(db) == 20


async def test_connections_that_the_server_ended_are_replaced(db: Database, server: Databases) -> None:
    """It was restarted, say: no call fails for it, and who watches is told that something may have happened."""
    feed = changes(db)
    await anext(feed)
    await double(db)
    await anext(feed)
    waiting = asyncio.ensure_future(anext(feed))
    await number(db)
    assert len(server.query(db.url, ENDED)) == 3  # one that writes, one that reads, one that listens
    async with asyncio.timeout(SOON):
        await waiting
    assert await number(db) == 2
    await double(db)
    async with asyncio.timeout(SOON):
        await anext(feed)
    assert await number(db) == 4


ENDED = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
    "WHERE application_name = 'protomesh' AND datname = current_database()"
)


async def test_a_connection_lost_in_the_middle_is_unavailable(db: Database, server: Databases) -> None:
    """Nothing is kept of the transaction, and the next one has another connection."""

    async def interrupted() -> None:
        async with db.begin() as tx:
            await tx.execute(text("UPDATE things SET number = 5"))
            server.query(db.url, ENDED)
            await tx.execute(text("UPDATE things SET number = 6"))

    with pytest.raises(Unreachable):
        await interrupted()
    assert await number(db) == 1
    await double(db)
    assert await number(db) == 2


async def test_a_connection_lost_at_the_end_leaves_it_open_what_happened(db: Database, server: Databases) -> None:
    """UNAVAILABLE, and nobody is told that nothing has happened."""

    async def interrupted() -> None:
        async with db.begin() as tx:
            await tx.execute(text("UPDATE things SET number = 5"))
            server.query(db.url, ENDED)

    with pytest.raises(Unconfirmed, match="may have happened"):
        await interrupted()
    await double(db)
    assert await number(db) == 2


async def test_a_writer_that_stands_still_loses_its_turn(
    server: Databases, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine may be gone or stopped: the others go on, and nothing of it is kept."""
    impatient = postgresql._WORKER_SETTINGS | {"idle_in_transaction_session_timeout": "300ms"}
    monkeypatch.setattr(postgresql, "_WORKER_SETTINGS", impatient)
    still = await server.open(url)
    monkeypatch.undo()
    db = await server.open(url)

    async def stand_still() -> None:
        async with still.begin() as tx:
            await tx.execute(text("UPDATE things SET number = 5"))
            await double(db)  # waits for its turn, and for nothing else
            await tx.execute(text("UPDATE things SET number = 6"))

    with pytest.raises(Unreachable):
        await stand_still()
    assert await number(db) == 2


@pytest.fixture
async def impatient(server: Databases, url: URL, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose server counts as gone when it is silent for a moment."""
    monkeypatch.setattr(postgresql, "_SILENT_SECONDS", 0.5)
    opened = await server.open(url)
    monkeypatch.undo()
    return opened


class Stopped:
    """Stops processes of the server, as a network does that swallows every packet; they go on at the end."""

    def __init__(self) -> None:
        self._pids: list[int] = []

    async def stop(self, tx: Transaction) -> None:
        """Stops the one that a transaction has."""
        pid = int((await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one())
        os.kill(pid, signal.SIGSTOP)
        self._pids.append(pid)

    def go_on(self) -> None:
        """Lets them go on."""
        while self._pids:
            with contextlib.suppress(ProcessLookupError):  # it was told to end meanwhile
                os.kill(self._pids.pop(), signal.SIGCONT)


@pytest.fixture
def stopped() -> Iterator[Stopped]:
    """Nothing stays stopped after the test."""
    made = Stopped()
    yield made
    made.go_on()


async def test_a_silent_server_is_unavailable_and_blocks_nobody(impatient: Database, stopped: Stopped) -> None:
    """The next call has another connection."""

    async def ask() -> None:
        async with impatient.read() as tx:
            await stopped.stop(tx)
            await tx.execute(text("SELECT number FROM things"))

    with pytest.raises(Unreachable):
        await ask()
    assert await number(impatient) == 1


async def test_a_silent_server_at_the_end_leaves_it_open_what_happened(impatient: Database, stopped: Stopped) -> None:
    """The COMMIT may be on its way."""

    async def write() -> None:
        async with impatient.begin() as tx:
            await tx.execute(text("UPDATE things SET number = 5"))
            await stopped.stop(tx)

    with pytest.raises(Unconfirmed):
        await write()
    stopped.go_on()
    await double(impatient)
    assert await number(impatient) in {2, 10}


async def test_a_text_with_nul_is_the_callers_mistake(db: Database) -> None:
    """Of all that a protobuf string can hold it is the one character that PostgreSQL does not keep."""

    async def look_for(name: str) -> None:
        async with db.read() as tx:
            await tx.execute(text("SELECT 1 WHERE 'x' = :name"), {"name": name})

    await look_for("\x01 \U0010ffff")
    with pytest.raises(Unstorable) as refused:
        await look_for("a\0b")
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Nothing has happened, and the caller may try again."""
    async with Database(SILENT) as db:
        with pytest.raises(Unreachable) as unreachable:
            await double(db)
        with pytest.raises(Unreachable):
            await number(db)
        with pytest.raises(Unreachable):
            await anext(changes(db))
    assert unreachable.value.code is grpc.StatusCode.UNAVAILABLE


async def test_a_start_without_a_server_names_it_and_no_password() -> None:
    """What a person has to look at, and nothing that a log must not have."""
    with pytest.raises(NoDatabase, match=r"shop:\*\*\*@/shop.*nowhere") as missing:
        await is_migrated(SILENT, PACKAGE)
    assert "secret" not in str(missing.value)


@pytest.fixture
def owned(server: Databases, postgresql_server: PostgreSQL) -> Iterator[URL]:
    """An empty database that belongs to an ordinary user, whose password has everything that a URL escapes."""
    made = server.empty()
    password = "p@ss:w/rd %41?#&é"
    postgresql_server.query("postgres", f"CREATE ROLE shopper LOGIN PASSWORD '{password}'")
    postgresql_server.query("postgres", f'ALTER DATABASE "{made.database}" OWNER TO shopper')
    yield made.set(username="shopper", password=password)
    postgresql_server.drop(str(made.database))
    postgresql_server.query("postgres", "DROP ROLE shopper")


async def test_an_ordinary_owner_may_do_it_all(owned: URL) -> None:
    """Migrate in a process of its own, write, read, hear of changes, and empty it again; with its password."""
    await migrated(owned, PACKAGE)
    dialect_of(owned).migrate(owned, lambda connection: connection.exec_driver_sql("CREATE TABLE things (number INT)"))
    async with Database(owned) as db:
        feed = changes(db)
        await anext(feed)
        async with db.begin() as tx:
            await tx.execute(text("INSERT INTO things VALUES (3)"))
        async with asyncio.timeout(SOON):
            await anext(feed)
        assert await number(db) == 3
    dialect_of(owned).empty(owned)
    assert not await is_migrated(owned, PACKAGE)


async def test_a_wrong_password_is_not_repeated(owned: URL, caplog: pytest.LogCaptureFixture) -> None:
    """Neither to who starts a worker, nor in the log of one that runs."""
    wrong = owned.set(password="wrong-secret")
    with pytest.raises(NoDatabase, match=r"shopper:\*\*\*@.*authentication failed") as refused:
        await migrated(wrong, PACKAGE)
    async with Database(wrong) as db:
        with pytest.raises(Unreachable):
            await number(db)
    assert "authentication failed" in caplog.text
    assert "secret" not in f"{refused.value} {caplog.text}"


async def test_a_database_without_the_stores_tables_says_what_to_do(server: Databases) -> None:
    """A composition root that names no migrations."""
    db = await server.open(server.empty())
    with pytest.raises(NoDatabase, match="migrations="):
        await double(db)


async def test_moments_are_utc_wherever_the_server_is(server: Databases, url: URL) -> None:
    """`current_timestamp` would be the server's local time, and an answer would be forgotten too early or late."""
    server.query(url, f"ALTER DATABASE \"{url.database}\" SET timezone = 'Asia/Tokyo'")
    db = await server.open(url)
    async with db.begin() as tx:
        await tx.execute(insert(REQUESTS).values(request_type="", request_id="", fingerprint=b"", response=b""))
        kept = (await tx.execute(select(func.max(REQUESTS.c.create_time)))).scalar_one()
    assert abs(kept - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_table_of_a_later_migration_tells_too(server: Databases, url: URL) -> None:
    """Every migration ends with it."""
    db = await server.open(url)
    feed = changes(db)
    await anext(feed)
    dialect_of(url).migrate(url, lambda connection: connection.exec_driver_sql("CREATE TABLE more (number INTEGER)"))
    waiting = asyncio.ensure_future(anext(feed))
    server.query(url, "INSERT INTO more VALUES (1)")
    async with asyncio.timeout(SOON):
        await waiting


def test_an_emptied_database_can_be_migrated_again(server: Databases, url: URL) -> None:
    """Whatever migrations made is gone: tables, types, functions."""
    dialect = dialect_of(url)
    dialect.migrate(url, lambda connection: connection.exec_driver_sql("CREATE TYPE colour AS ENUM ('red')"))
    dialect.migrate(url, lambda connection: connection.exec_driver_sql("CREATE TABLE t (c colour, n SERIAL)"))
    dialect.migrate(url, lambda connection: connection.exec_driver_sql("CREATE VIEW v AS TABLE t"))
    dialect.empty(url)
    left = (
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "UNION ALL SELECT typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace "
        "UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    assert server.query(url, left) == []
    assert upgrade(url, PACKAGE) != []


async def test_a_lease_is_lost_with_its_connection(db: Database, url: URL, server: Databases) -> None:
    """Its holder learns of it, and who waits has it: on another machine, as far as the server can tell."""
    other = await server.open(url)
    lease = db.lease("relay")
    async with asyncio.timeout(SOON):
        async with lease.held():
            second = asyncio.create_task(_held(other.lease("relay")))
            async with db.begin() as tx:
                ended = await tx.scalar(
                    text(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_database d ON d.oid = database "
                        "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
                    )
                )
            assert ended == 1
            await lease.wait_lost()
            await second


async def test_all_leases_of_a_connection_are_lost_with_it(db: Database, url: URL, server: Databases) -> None:
    """Each of them can be had again, on a new connection."""
    async with asyncio.timeout(SOON):
        sweep, tidy = db.lease("sweep"), db.lease("tidy")
        async with sweep.held(), tidy.held():
            server.query(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = "
                "(SELECT hashtextextended('protomesh_tidy', 0) & 4294967295)::oid",
            )
            await sweep.wait_lost()
            await tidy.wait_lost()
            async with db.lease("sweep").held(), (await server.open(url)).lease("tidy").held():
                pass


async def test_a_job_goes_on_after_its_server_was_away(
    db: Database, url: URL, server: Databases, tmp_path: Path
) -> None:
    """The run in progress is interrupted, for another worker may run; what it does detached is let finish."""
    began, steps = asyncio.Semaphore(0), list[str]()
    finish = asyncio.Event()

    async def sweep() -> None:
        began.release()
        try:
            async with detached(timeout=timedelta(seconds=30)):
                await finish.wait()
                steps.append("detached")
            steps.append("behind")
        except asyncio.CancelledError:
            steps.append("interrupted")
            raise

    async with asyncio.timeout(SOON), Jobs([every(timedelta(hours=1), sweep, one_worker=True)], tmp_path, db):
        await began.acquire()
        server.query(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE locktype = 'advisory' AND granted AND datname = current_database()",
        )
        waiting = asyncio.create_task(began.acquire())
        await asyncio.wait([waiting], timeout=2.5)
        assert not waiting.done()  # it is not run twice at once by one worker
        finish.set()
        await waiting
        assert steps[:2] == ["detached", "interrupted"]


async def test_a_lease_without_a_server_is_refused() -> None:
    """Who asks for it asks again later."""
    with pytest.raises(Unreachable):
        await _held(dialect_of(SILENT).leases(SILENT).named("relay"))


async def _held(lease: Lease) -> None:
    async with lease.held():
        pass
