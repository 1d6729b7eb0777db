"""The Python of the contracts in `protos/`, made once by the generator that every project uses; and real servers."""

import atexit
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf import descriptor_pool
from grpc import aio

from protomesh.contract.generate import generate_python, python_directory
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.current import Metadatum
from protomesh.runtime.server import Server

StubT = TypeVar("StubT")


def _install() -> None:
    if importlib.util.find_spec("probe") is None:
        root = Path(tempfile.mkdtemp(prefix="pm-"))
        atexit.register(shutil.rmtree, root)
        shutil.copytree(Path(__file__).parent / "protos", root / "protos")
        generate_python(root)
        sys.path.insert(0, str(python_directory(root)))


_install()  # test modules import the result when they are collected


def implement(service: str, **handlers: Callable[[Any, Any], Any]) -> Any:
    """A servicer with some of its methods; the others fail the call."""
    descriptor = descriptor_pool.Default().FindServiceByName(service)
    package, _, name = service.rpartition(".")
    base = getattr(importlib.import_module(package), f"{name}Servicer")

    async def one(_request: Any, _context: Any) -> Any:
        raise AssertionError("the test did not expect this call")

    async def many(request: Any, context: Any) -> Any:
        yield await one(request, context)

    members = {m.name: many if m.server_streaming else one for m in descriptor.methods} | handlers
    return type(name, (base,), {method: staticmethod(handler) for method, handler in members.items()})()


class Servers:
    """Real servers on unix sockets of their own."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.targets: list[str] = []

    async def start(self, *servicers: object) -> aio.Channel:
        """Serves, and gives a plain channel of grpc's own."""
        server = Server(servicers)
        directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-"))
        target = server.listen(f"unix:{directory}/s")
        await server.start()
        self.targets.append(target)
        self._stack.push_async_callback(server.drain, timedelta(0))
        return await self._stack.enter_async_context(aio.insecure_channel(target))

    async def leaf_channel(self, **handlers: Callable[[Any, Any], Any]) -> aio.Channel:
        """Serves LeafService, for a caller that isn't of the mesh."""
        return await self.start(implement("probe.v1.LeafService", **handlers))

    async def leaf(self, *metadata: Metadatum, **handlers: Callable[[Any, Any], Any]) -> Any:
        """Serves LeafService, and gives a client of it as a service has one."""
        return over(await self.leaf_channel(**handlers), "probe.v1.LeafService", *metadata)

    async def front(self, *metadata: Metadatum, **handlers: Callable[[Any, Any], Any]) -> Any:
        """Serves FrontService, and gives a client of it as a service has one."""
        channel = await self.start(implement("probe.v1.FrontService", **handlers))
        return over(channel, "probe.v1.FrontService", *metadata)


def over(channel: aio.Channel, service: str, *metadata: Metadatum) -> Any:
    """A client with what the mesh adds, over a plain channel."""
    package, _, name = service.rpartition(".")
    stub = getattr(importlib.import_module(package), f"{name}Stub")
    return MeshChannel(lambda _service: channel, metadata=metadata).stub(stub)


@pytest.fixture
async def servers() -> AsyncGenerator[Servers]:
    """Ends all that a test serves."""
    async with AsyncExitStack() as stack:
        yield Servers(stack)


@pytest.fixture
def leaf_servicer() -> Callable[..., Any]:
    """Makes a servicer of LeafService out of some handlers."""
    return partial(implement, "probe.v1.LeafService")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket, which pytest's own need not be."""
    with tempfile.TemporaryDirectory(prefix="pm-") as directory:
        yield Path(directory)
