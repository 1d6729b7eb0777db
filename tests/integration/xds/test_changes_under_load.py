"""Random changes of everything while calls go through: none of them may fail."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio

from protomesh.xds import Snapshot

CHANGES = int(os.environ.get("PROTOMESH_TEST_CHANGES", "80"))
"""How many changes are made; 1,000 take half a minute."""

METHODS = ("One", "Two", "Three")
SERVICES = ("catalog", "orders")


@asynccontextmanager
async def worker(path: str) -> AsyncIterator[None]:
    """A gRPC server that answers every method with its own socket."""

    async def answer(_request: bytes, _context: Any) -> bytes:
        return path.encode()

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    for service in SERVICES:
        handlers = dict.fromkeys(METHODS, handler)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"test.{service}", handlers),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(5)


class Mesh:
    """Two services, each with one or two versions, and the changes that a mesh goes through."""

    def __init__(self, rig: Any, sockets: list[str], chance: random.Random) -> None:
        self.rig = rig
        self.sockets = sockets
        self.chance = chance
        self.clusters = {service: [f"{service}/v0"] for service in SERVICES}
        self.endpoints: dict[str, list[str]] = {f"{service}/v0": sockets[:1] for service in SERVICES}
        self.weights: dict[str, int] = {f"{service}/v0": 1 for service in SERVICES}
        self.timeouts: dict[str, int] = {}
        self.order = [(service, method) for service in SERVICES for method in METHODS]
        self.extra: list[str] = []
        self.version = 0
        self.calls = 0
        self.called = asyncio.Event()
        self.made: dict[str, int] = {}

    def snapshot(self) -> Snapshot:
        names = [name for names in self.clusters.values() for name in names]
        routes = [(f"/test.{service}/{method}", self._split(service)) for service, method in self.order]
        routes += [(prefix, self._split(SERVICES[0])) for prefix in self.extra]
        return Snapshot(
            [
                *(self.rig.cluster(name, f"{self.timeouts.get(name, 1)}s") for name in names),
                *(self.rig.endpoints(name, *self.endpoints[name]) for name in names),
                self.rig.listener(),
                self.rig.routes(*routes),
            ]
        )

    async def change(self) -> None:
        changes: list[Callable[[str], Awaitable[None] | None]] = [
            self.canary,
            self.promote,
            self.reweigh,
            self.scale,
            self.retune,
            self.reorder,
            self.rename,
            self.restart,
        ]
        change = self.chance.choice(changes)
        self.made[change.__name__] = self.made.get(change.__name__, 0) + 1
        pending = change(self.chance.choice(SERVICES))
        if pending is not None:
            await pending
        self.rig.cache.publish(self.rig.node, self.snapshot())
        if self.chance.random() < 0.5:  # the next change overtakes the answers to this one in half of the cases
            await self.rig.wait_acknowledged()

    def canary(self, service: str) -> None:
        """A second version takes a share."""
        if len(self.clusters[service]) == 1:
            self.version += 1
            name = f"{service}/v{self.version}"
            self.clusters[service].append(name)
            self.endpoints[name] = self.chance.sample(self.sockets, 2)
            self.weights[name] = 1

    def promote(self, service: str) -> None:
        """The older version goes."""
        if len(self.clusters[service]) > 1:
            self.clusters[service].pop(0)

    def reweigh(self, service: str) -> None:
        for name in self.clusters[service]:
            self.weights[name] = self.chance.randint(1, 9)

    def scale(self, service: str) -> None:
        for name in self.clusters[service]:
            self.endpoints[name] = self.chance.sample(self.sockets, self.chance.randint(1, len(self.sockets)))

    def retune(self, service: str) -> None:
        """The cluster itself changes: it warms anew."""
        for name in self.clusters[service]:
            self.timeouts[name] = self.chance.randint(1, 9)

    def reorder(self, _service: str) -> None:
        self.chance.shuffle(self.order)

    def rename(self, _service: str) -> None:
        """Methods that nobody calls yet come and go."""
        self.extra = [f"/test.catalog/New{self.chance.randint(1, 99)}"]

    async def restart(self, _service: str) -> None:
        """The control plane is gone while calls go on, and comes back without a memory."""
        await self.rig.server.stop()
        before = self.calls
        while self.calls < before + 10:
            self.called.clear()
            await self.called.wait()
        await self.rig.restart_server()

    def _split(self, service: str) -> dict[str, int]:
        return {name: self.weights[name] for name in self.clusters[service]}


async def test_no_call_fails_while_everything_changes(rig: Any, run_directory: Path) -> None:
    """Canaries, scaling, cluster changes, renamed and re-ordered methods, restarts of the control plane."""
    sockets = [f"{run_directory}/w{n}.sock" for n in range(3)]
    mesh = Mesh(rig, sockets, random.Random(7))
    rig.cache.publish(rig.node, mesh.snapshot())
    failures: list[str] = []
    done = asyncio.Event()

    async def load(channel: grpc.aio.Channel, number: int) -> None:
        methods = [f"/test.{service}/{method}" for service in SERVICES for method in METHODS]
        while not done.is_set():
            number += 1
            try:
                call: Any = channel.unary_unary(methods[number % len(methods)])
                await call(b"", timeout=5)
            except grpc.aio.AioRpcError as error:
                failures.append(f"{methods[number % len(methods)]}: {error.code().name} {error.details()}")
            mesh.calls += 1
            mesh.called.set()

    async with worker(sockets[0]), worker(sockets[1]), worker(sockets[2]), rig.envoy():
        await rig.wait_acknowledged()
        async with rig.channel() as channel:
            callers = [asyncio.create_task(load(channel, number)) for number in range(3)]
            for _ in range(CHANGES):
                await mesh.change()
            await rig.wait_acknowledged()
            done.set()
            await asyncio.gather(*callers)

    assert failures == []
    assert mesh.calls > CHANGES
    assert len(mesh.made) == 8, "every kind of change was made"
