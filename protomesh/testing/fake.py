"""A service that a test plays: real gRPC, with the answers that the test prepares."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

import grpc
from grpc import aio

from protomesh.runtime.client import MeshChannel, MeshMultiCallable
from protomesh.runtime.context import Context
from protomesh.runtime.errors import DeclaredError, StatusError
from protomesh.runtime.method import method_of
from protomesh.runtime.server import Server
from protomesh.runtime.user import User
from protomesh.testing.prepared import Prepared, PreparedStream
from protomesh.testing.stage import stage

__all__ = ["Fake", "RecordedCall"]

StubT = TypeVar("StubT")
RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call that a fake got."""

    method: str  # GetProduct
    request: Any  # the message; of a client's stream, the list of messages that have arrived
    metadata: Mapping[str, str | bytes]
    user: User | None
    caller: str | None
    time_remaining: timedelta | None  # when it arrived


class Fake(Generic[StubT]):
    """Plays a service: `catalog = Fake(CatalogServiceStub)`.

        catalog.on(catalog.stub.GetProduct).returns(GetProductResponse(...))
        async with serving(Inventory(db, catalog.stub), InventoryServiceStub) as inventory:
            ...
        assert [call.method for call in catalog.calls] == ["GetProduct"]

    It is a real server on a unix socket, with the contract's deadlines, validation and errors. A call that was not
    prepared is UNIMPLEMENTED for the caller, and fails the test when its `serving` or `running` ends, whatever the
    caller made of it. It begins with the first call and ends with the last such block of the test; without one, use it
    as `async with Fake(...) as catalog`. Make one for each test.
    """

    def __init__(self, stub: Callable[[aio.Channel], StubT]) -> None:
        self.stub = MeshChannel(self._connect).stub(stub)
        self.calls: list[RecordedCall] = []
        self._methods = {
            name: method for name, method in vars(self.stub).items() if isinstance(method, MeshMultiCallable)
        }
        self._prepared: dict[str, Prepared[Any, Any] | PreparedStream[Any, Any]] = {}
        self._complaints: list[str] = []
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._server: Server | None = None
        self._target = ""
        self._starting: asyncio.Task[None] | None = None
        self._channel: aio.Channel | None = None
        self._block: Any = None

    @property
    def rpc_services(self) -> set[str]:
        """The full names of the services that it plays: one, unless the stub is hand-made."""
        return {method.path.split("/")[1] for method in self._methods.values()}

    @overload
    def on(self, method: aio.UnaryUnaryMultiCallable[RequestT, ResponseT]) -> Prepared[RequestT, ResponseT]: ...
    @overload
    def on(self, method: aio.StreamUnaryMultiCallable[RequestT, ResponseT]) -> Prepared[list[RequestT], ResponseT]: ...
    @overload
    def on(self, method: aio.UnaryStreamMultiCallable[RequestT, ResponseT]) -> PreparedStream[RequestT, ResponseT]: ...
    @overload
    def on(
        self, method: aio.StreamStreamMultiCallable[RequestT, ResponseT]
    ) -> PreparedStream[AsyncIterator[RequestT], ResponseT]: ...
    def on(self, method: Any) -> Prepared[Any, Any] | PreparedStream[Any, Any]:
        """Begins to say what a method of this fake's own stub answers; what was said before is forgotten."""
        if not isinstance(method, MeshMultiCallable) or method not in self._methods.values():
            raise TypeError("on() takes a method of this fake's own stub: fake.on(fake.stub.GetProduct)")
        kind = PreparedStream if method.kind.endswith("_stream") else Prepared
        prepared = self._prepared[method.path] = kind(method_of(method.path))
        return prepared

    def requests(self, method: Any) -> list[Any]:
        """The requests of one method, in the order of their arrival: `fake.requests(fake.stub.GetProduct)`."""
        name = method.path.rpartition("/")[2]
        return [call.request for call in self.calls if call.method == name]

    def complaints(self) -> list[str]:
        """Calls that were not prepared, and answers that failed, since it was last asked."""
        complaints, self._complaints = self._complaints, []
        return complaints

    async def leave(self) -> None:
        """Ends the server. The block in which the fake is used calls it."""
        if self._channel is not None:
            await self._channel.close()
        if self._starting is not None and self._server is not None:
            await self._starting
            await self._server.drain(timedelta(0))
        if self._directory is not None:
            self._directory.cleanup()

    async def __aenter__(self) -> Self:
        self._block = stage().block()
        await self._block.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, traceback)

    def connect(self) -> str:
        """Starts the server if it has not been started, and returns its target."""
        if self._server is None:
            self._directory = tempfile.TemporaryDirectory(prefix="pm-")
            self._server = Server([self._servicer()])
            self._target = self._server.listen(f"unix:{self._directory.name}/s")
            # Callers connect at once and are answered when it has started.
            self._starting = asyncio.get_running_loop().create_task(self._server.start())
            stage().add(self)
        return self._target

    def _connect(self, _service: str) -> aio.Channel:
        target = self.connect()
        if self._channel is None:
            self._channel = aio.insecure_channel(target)
        return self._channel

    def _servicer(self) -> object:
        generated = type(self.stub)
        base = getattr(import_module(generated.__module__), generated.__name__.removesuffix("Stub") + "Servicer")
        members = {name: self._handler(name, method) for name, method in self._methods.items()}
        return type(f"Fake{base.__name__}", (base,), members)()

    def _handler(self, name: str, method: MeshMultiCallable) -> Callable[..., Any]:
        streams_in = method.kind.startswith("stream_")

        async def one(_self: object, request: Any, context: Context, /) -> Any:
            if streams_in:
                request = [message async for message in request]
            self._record(name, request, context)
            prepared = self._find(name, method)
            try:
                return await prepared.answer(request)
            except Exception as error:
                self._complain(name, error)
                raise

        async def many(_self: object, request: Any, context: Context, /) -> AsyncIterator[Any]:
            arrived: list[Any] = []
            self._record(name, arrived if streams_in else request, context)
            prepared = self._find(name, method)
            try:
                async for response in prepared.answer(_recorded(request, arrived) if streams_in else request):
                    yield response
            except Exception as error:
                self._complain(name, error)
                raise

        return many if method.kind.endswith("_stream") else one

    def _record(self, name: str, request: Any, context: Context) -> None:
        call = RecordedCall(
            method=name,
            request=request,
            metadata=context.metadata,
            user=context.user,
            caller=context.caller,
            time_remaining=context.time_remaining,
        )
        self.calls.append(call)

    def _find(self, name: str, method: MeshMultiCallable) -> Any:
        prepared = self._prepared.get(method.path)
        if prepared is None:
            complaint = f"the test did not prepare {method.path.removeprefix('/')}: fake.on(fake.stub.{name})"
            self._complaints.append(complaint)
            raise StatusError(grpc.StatusCode.UNIMPLEMENTED, complaint)
        return prepared

    def _complain(self, name: str, error: Exception) -> None:
        if not isinstance(error, (StatusError, DeclaredError)):
            self._complaints.append(f"the answer that the test prepared for {name} failed: {error!r}")


async def _recorded(requests: AsyncIterator[Any], arrived: list[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        arrived.append(request)
        yield request
