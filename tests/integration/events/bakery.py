"""A publisher and a subscriber in processes of their own, with a transport between them, to be killed at any moment."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import URL, Column, Integer, MetaData, String, Table, func, insert, select, text

from protomesh.model import Endpoint, Layout, Origin, PythonApp, Service, Topology, UnixAddress
from protomesh.proxy import EnvoyProcess, find
from protomesh.runtime.events import publish
from protomesh.runtime.events.log import INCOMING_LOG, OUTGOING_LOG, Log
from protomesh.runtime.events.tables import INCOMING, OUTBOX
from protomesh.runtime.launch import environment
from protomesh.runtime.store import Database
from protomesh.targets.envoy import render, static_bootstrap
from protomesh.testing.nats import NatsServer, running_nats

EVENT = "bakery.v1.Baked"
OVENS = ("left", "middle", "right")

TABLES = MetaData()
APPLIED = Table(
    "applied",
    TABLES,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("oven", String(16), nullable=False),
    Column("number", Integer, nullable=False),
)
RULES = Table(
    "rules",
    TABLES,
    Column("oven", String(16), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("rule", String(16), nullable=False),
)


class Bakery:
    """What a test does to the two, and what it sees of them."""

    def __init__(
        self,
        project: Path,
        layout: Layout,
        urls: dict[str, URL],
        between: "Between",
        outbox: Database,
        shelf: Database,
    ) -> None:
        self._project = project
        self._layout = layout
        self._urls = urls
        self.between = between
        self.letters = shelf if between.by_broker else outbox  # who has what does not get through
        self.outbox = outbox
        self.shelf = shelf
        self._processes: dict[str, Process] = {}
        self.failures = 0  # of starts that found nobody to deliver to
        self._baked: dict[str, int] = dict.fromkeys(OVENS, 0)

    async def start(self, *names: str) -> None:
        """Starts workers, and returns when they serve."""
        await self._launch(*names)
        for name in names:
            await self._serving(name)

    async def _launch(self, *names: str) -> None:
        for name in names:
            Path(self._layout.worker_sockets(name)).mkdir(exist_ok=True)
            listen = f"unix:{self._layout.worker_socket(name, 1, 0)}"
            told = environment(
                name,
                listen,
                self.between.egress,
                str(self._project / "data" / name),
                log="json",
                subscribes=[EVENT] if name == "shelf" else [],
                subscribers={EVENT: ["shelf"]} if name == "bakery" else {},
                publishers={EVENT: ["bakery"]} if name == "shelf" else {},
                events_url=self.between.events_url,
                events_prefix="tests",
            )
            url = self._urls[name].render_as_string(hide_password=False)
            with (self._project / f"{name}.log").open("ab") as log:
                self._processes[name] = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "protomesh.runtime",
                    f"bakery_app:{name}",
                    cwd=self._project,
                    env={"PATH": os.environ["PATH"], "PROTOMESH_DATABASE_URL": url, **told},
                    stdout=log,
                    stderr=log,
                )

    async def kill(self, name: str) -> None:
        """SIGKILL, and waits for nothing but the end of the process."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def revive(self, name: str) -> bool:
        """Starts a worker again if it has ended by itself, as the mesh would."""
        process = self._processes[name]
        if process.returncode is None:
            return False
        await process.wait()
        await self._launch(name)
        return True

    async def stop(self) -> None:
        """Ends what runs."""
        for name in list(self._processes):
            await self.kill(name)

    async def bake(self, count: int, oven: str | None = None) -> None:
        """Publishes loaves, a few in each transaction; the numbers of an oven go on from 1."""
        from bakery.v1 import Baked

        published = 0
        while published < count:
            async with self.outbox.begin() as tx:
                for _ in range(min(7, count - published)):
                    name = oven or OVENS[published % len(OVENS)]
                    self._baked[name] += 1
                    await publish(tx, Baked(oven=name, number=self._baked[name]))
                    published += 1

    async def rule(self, rule: str, oven: str, number: int) -> None:
        """Says what becomes of one loaf."""
        async with self.shelf.begin() as tx:
            await tx.execute(insert(RULES).values(oven=oven, number=number, rule=rule))

    async def in_vain(self) -> None:
        """Waits until the relay that has been started last has tried to deliver, and nobody answered."""
        self.failures += 1

        async def logged() -> bool:
            return (self._project / "bakery.log").read_text().count("can't be delivered") >= self.failures

        await self.until(logged)

    async def heal(self) -> None:
        """From now on every loaf is taken."""
        async with self.shelf.begin() as tx:
            await tx.execute(RULES.delete())

    async def applied(self) -> dict[str, list[int]]:
        """The numbers of the loaves that are taken, by oven, in the order in which they were."""
        found: dict[str, list[int]] = {name: [] for name in OVENS}
        async with self.shelf.read() as tx:
            for row in await tx.execute(select(APPLIED).order_by(APPLIED.c.position)):
                found[row.oven].append(row.number)
        return found

    async def count_applied(self) -> int:
        """How many that are."""
        async with self.shelf.read() as tx:
            return int(await tx.scalar(select(func.count()).select_from(APPLIED)) or 0)

    async def deferred(self, *, dead: bool) -> int:
        """How many events did not get through, dead letters or others."""
        table = self._log.deferred
        async with self.letters.read() as tx:
            query = select(func.count()).select_from(table).where(table.c.dead.is_(dead))
            return int(await tx.scalar(query) or 0)

    async def tries(self) -> int:
        """The tries of what did not get through."""
        async with self.letters.read() as tx:
            return int(await tx.scalar(select(func.coalesce(func.max(self._log.deferred.c.tries), 0))) or 0)

    async def waiting(self) -> int:
        """How many events the two databases have that are on their way."""
        waiting = 0
        for database, table in ((self.outbox, OUTBOX), (self.shelf, INCOMING)):
            async with database.read() as tx:
                waiting += int(await tx.scalar(select(func.count()).select_from(table)) or 0)
        return waiting

    async def until(self, condition: Callable[[], Any]) -> None:
        """Waits until something holds; a test fails with the workers' logs if it does not come to."""
        try:
            async with asyncio.timeout(60):
                while not await condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            logs = "".join((self._project / f"{name}.log").read_text()[-3000:] for name in self._urls)
            raise AssertionError(f"{await self.applied()}\n{logs}") from None

    async def applied_in_full(self) -> None:
        """Waits until every loaf is taken, and checks that each was once and in its oven's order."""
        total = sum(self._baked.values())

        async def enough() -> bool:
            return await self.count_applied() >= total

        await self.until(enough)
        assert await self.applied() == {name: list(range(1, count + 1)) for name, count in self._baked.items()}

        async def settled() -> bool:
            return await self.waiting() == 0

        await self.until(settled)
        assert await self.count_applied() == total

    @property
    def _log(self) -> Log:
        return INCOMING_LOG if self.between.by_broker else OUTGOING_LOG

    async def _serving(self, name: str) -> None:
        async with aio.insecure_channel(f"unix:{self._layout.worker_socket(name, 1, 0)}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=30)


class Between:
    """What is between the two."""

    egress = "unix:/nowhere"
    events_url = ""
    by_broker = False

    async def start(self) -> None:
        """Starts it, and returns when it serves."""

    async def kill(self) -> None:
        """SIGKILL."""


class Nothing(Between):
    """No mesh: a call goes straight to the subscriber."""

    def __init__(self, layout: Layout) -> None:
        self.egress = f"unix:{layout.worker_socket('shelf', 1, 0)}"


class Nats(Between):
    """A broker with its files."""

    by_broker = True

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.events_url = server.url

    async def start(self) -> None:
        """Starts it with what it has kept, and returns when it serves."""
        await asyncio.to_thread(self._server.start)

    async def kill(self) -> None:
        """SIGKILL: what it has acknowledged is in its files."""
        await asyncio.to_thread(self._server.kill)


class Envoy(Between):
    """A real one, with the configuration that the mesh makes."""

    process: EnvoyProcess

    def __init__(self, layout: Layout, bootstrap: dict[str, Any]) -> None:
        self._layout = layout
        self._bootstrap = bootstrap
        self.egress = f"unix:{layout.egress_socket('bakery')}"

    async def start(self) -> None:
        """Starts it, and returns when it serves."""
        self.process = await EnvoyProcess.start(find(), self._bootstrap, self._layout, concurrency=1)
        await self.process.wait_live()

    async def kill(self) -> None:
        """SIGKILL: every call in progress ends without an answer."""
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def direct(layout: Layout) -> AsyncIterator[Nothing]:
    """No mesh between the two."""
    yield Nothing(layout)


@asynccontextmanager
async def through_envoy(layout: Layout) -> AsyncIterator[Envoy]:
    """The mesh: a call goes by the publisher's egress."""
    here = Origin(file="mesh.yaml")
    bakery = Service(
        name="bakery", runs=PythonApp(target="a:b"), serves=(), subscribers={EVENT: ("shelf",)}, origin=here
    )
    shelf = Service(name="shelf", runs=PythonApp(target="a:b"), serves=(), subscribes=(EVENT,), origin=here)
    topology = Topology(
        name="bakery", services={"bakery": bakery, "shelf": shelf}, gateways=(), descriptors=b"", origin=here
    )
    endpoints = {"shelf": [Endpoint(address=UnixAddress(layout.worker_socket("shelf", 1, 0)))]}
    bootstrap = static_bootstrap(render(topology, layout), layout, endpoints)
    between = Envoy(layout, bootstrap)
    await between.start()
    try:
        yield between
    finally:
        await between.process.stop()


@asynccontextmanager
async def by_nats(layout: Layout) -> AsyncIterator[Nats]:
    """A broker of the test's own."""
    directory = Path(layout.run, "nats")
    directory.mkdir()
    with running_nats(directory) as server:
        yield Nats(server)


TRANSPORTS: dict[str, Callable[[Layout], AbstractAsyncContextManager[Between]]] = {
    "direct": direct,
    "mesh": through_envoy,
    "nats": by_nats,
}


def layout_in(directory: str) -> Layout:
    """Sockets in a directory whose path is short enough for them."""
    return Layout(run=PurePosixPath(directory), state=PurePosixPath(directory) / "state")


async def create_tables(database: Database) -> None:
    """The subscriber's own tables."""
    async with database.begin() as tx:
        await (await tx.connection()).run_sync(TABLES.create_all)
        await tx.execute(text("SELECT 1"))
