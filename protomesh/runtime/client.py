"""A channel under which standard stubs carry deadlines, traces and users, and raise the contract's errors."""

from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import Any, Self, TypeVar

from grpc import aio

from protomesh.runtime.current import Metadatum, current, time_remaining
from protomesh.runtime.errors import DeclaredError
from protomesh.runtime.method import method_of
from protomesh.runtime.user import CLAIMS, SCOPES, SUBJECT, TOKEN

__all__ = ["MeshChannel", "MeshMultiCallable"]

StubT = TypeVar("StubT")


class MeshChannel:
    """Wraps the channels that a stub's calls go through; generated stubs take it like any other.

    A call's deadline is the contract's or what its caller has left, whichever is less. Trace context, request id and
    user travel along. A declared error is raised as its class. Leaving an `async for` early cancels the call.

    Args:
        connect: Gives the channel for an RPC service, named in full. It is asked when the first call is made, because
            a channel of grpc.aio belongs to the event loop that runs when it is made.
        metadata: Goes with every call.
    """

    def __init__(self, connect: Callable[[str], aio.Channel], *, metadata: Iterable[Metadatum] = ()) -> None:
        self.connect = connect
        self.metadata = tuple(metadata)

    def stub(self, make: Callable[[aio.Channel], StubT]) -> StubT:
        """A stub over this channel: `channel.stub(CatalogServiceStub)`."""
        return make(self)  # type: ignore[arg-type] # of a channel, a stub wants the four methods below

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> "MeshMultiCallable":
        """Called by a stub's constructor."""
        return MeshMultiCallable(self, "unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> "MeshMultiCallable":
        """Called by a stub's constructor."""
        return MeshMultiCallable(self, "unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> "MeshMultiCallable":
        """Called by a stub's constructor."""
        return MeshMultiCallable(self, "stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> "MeshMultiCallable":
        """Called by a stub's constructor."""
        return MeshMultiCallable(self, "stream_stream", method, args, kwargs)


class MeshMultiCallable:
    """One method of a stub: called, it starts a call."""

    def __init__(
        self, channel: MeshChannel, kind: str, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.path = path  # /shop.catalog.v1.CatalogService/GetProduct
        self.kind = kind  # unary_unary, unary_stream, stream_unary or stream_stream
        self._mesh = channel
        self._args, self._kwargs = args, kwargs
        self._wrap = _StreamCall if kind.endswith("_stream") else _Call
        self._start: Callable[..., Any] | None = None
        self._timeout: float | None = None

    def __call__(
        self,
        request: Any = None,
        *,
        request_iterator: Any = None,  # what grpc names the argument of a method that takes a stream
        timeout: float | None = None,
        metadata: Iterable[Metadatum] | None = None,
        **options: Any,
    ) -> Any:
        """Starts the call. `timeout` in seconds can only shorten the deadline; `metadata` goes before what travels."""
        start = self._start or self._open()
        limits = [limit for limit in (timeout, self._timeout, time_remaining()) if limit is not None]
        carried = _carried([*self._mesh.metadata, *(metadata or ())])
        sent = request if request_iterator is None else request_iterator
        return self._wrap(start(sent, timeout=min(limits, default=None), metadata=carried, **options))

    def _open(self) -> Callable[..., Any]:
        channel = self._mesh.connect(self.path.split("/")[1])
        self._start = getattr(channel, self.kind)(self.path, *self._args, **self._kwargs)
        self._timeout = method_of(self.path).timeout
        return self._start


class _Call:
    """A call in progress: awaits, and has every method of grpc's own call."""

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self._call.__await__())
        except aio.AioRpcError as error:
            raise _known(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _StreamCall(_Call):
    """A call that answers with a stream."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Messages(self._call)

    async def read(self) -> Any:
        """The next message, or `grpc.aio.EOF`."""
        try:
            return await self._call.read()
        except aio.AioRpcError as error:
            raise _known(error) from None


class _Messages:
    """Iterates over a stream. Whoever drops it before its end cancels the call: nobody else will read on."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._messages = call.__aiter__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._messages.__anext__()
        except aio.AioRpcError as error:
            raise _known(error) from None

    def __del__(self) -> None:
        self._call.cancel()  # without effect on a call that has ended


def _known(error: aio.AioRpcError) -> aio.AioRpcError:
    return DeclaredError.from_call(error)


def _carried(given: list[Metadatum]) -> list[Metadatum]:
    """What goes with a call: what was given for it, and what travels on of the work in progress."""
    scope = current.get()
    if scope is None:
        return given
    keys = {key.lower() for key, _ in given}
    if SUBJECT in keys:  # on behalf of somebody else, who has nothing of this one
        keys |= {SCOPES, CLAIMS, TOKEN}
    return given + [(key, value) for key, value in scope.forwarded if key not in keys]
