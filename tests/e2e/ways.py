"""One call by every protocol that the edge speaks, with one kind of outcome, so that tests can compare them."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from protomesh.runtime.errors import status_of
from tests.e2e import grpc_web, reach
from tests.e2e.mesh import Mesh


@dataclass(frozen=True)
class Call:
    """A method, a request, and the same in REST: verb, path with query, body. `metadata` goes with all of them."""

    method: str  # shop.catalog.v1.CatalogService/GetProduct
    request: Message
    response: type[Message]
    verb: str
    url: str
    body: Any = None
    metadata: tuple[tuple[str, str], ...] = ()


class Failed(Exception):  # noqa: N818 - it says what happened
    """The call ended with an error; `http_status` is that of gRPC-Web and REST."""

    def __init__(self, status: status_pb2.Status, http_status: int = 200) -> None:
        super().__init__(f"{status.code}: {status.message}")
        self.status = status
        self.http_status = http_status

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        """The one detail of that type."""
        return self.detail(error_details_pb2.ErrorInfo)

    def detail(self, kind: Any) -> Any:
        """The one detail of a type."""
        (found,) = (detail for detail in self.status.details if detail.Is(kind.DESCRIPTOR))
        message = kind()
        found.Unpack(message)
        return message


Messages = AsyncIterator[Any]
Way = Callable[[Mesh, Call], AbstractAsyncContextManager[Messages]]


async def unary(way: Way, mesh: Mesh, call: Call) -> Any:
    """The one answer of a call.

    Raises:
        Failed: it ended with an error.
    """
    async with way(mesh, call) as messages:
        (answer,) = [message async for message in messages]
        return answer


async def failure(way: Way, mesh: Mesh, call: Call) -> Failed:
    """How a call fails, which has to."""
    try:
        answer = await unary(way, mesh, call)
    except Failed as failed:
        return failed
    raise AssertionError(f"no error but an answer: {answer}")


@asynccontextmanager
async def by_grpc(mesh: Mesh, call: Call) -> AsyncGenerator[Messages]:
    """As a stub does it."""

    async def read(messages: Any) -> Messages:
        try:
            async for message in messages:
                yield message
        except grpc.aio.AioRpcError as error:
            raise Failed(status_of(error)) from None

    async with reach.edge(mesh) as channel:
        start: Any = channel.unary_stream(
            f"/{call.method}",
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.response.FromString,
        )
        calling = start(call.request, timeout=20, metadata=call.metadata)
        yield read(calling)
        calling.cancel()


@asynccontextmanager
async def by_grpc_web(mesh: Mesh, call: Call, *, http2: bool, text: bool) -> AsyncGenerator[Messages]:
    """As a web page does it."""

    async def read(answer: grpc_web.Answer) -> Messages:
        async for message in answer.messages():
            yield call.response.FromString(message)
        if answer.status.code:
            raise Failed(answer.status, answer.response.status_code)

    request = call.request.SerializeToString()
    async with (
        reach.http(mesh, http2=http2, **dict(call.metadata)) as client,
        grpc_web.call(client, f"/{call.method}", request, text=text) as answer,
    ):
        yield read(answer)


@asynccontextmanager
async def by_rest(mesh: Mesh, call: Call, *, http2: bool, accept: str = "application/json") -> AsyncGenerator[Messages]:
    """As curl does it; a stream is NDJSON or, for who accepts those, server-sent events."""
    events = accept == "text/event-stream"

    async def read(response: Any) -> Messages:
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/json"
            status = json_format.ParseDict(json.loads(await response.aread()), status_pb2.Status())
            raise Failed(status, response.status_code)
        async for line in response.aiter_lines():
            if line or not events:
                assert line.startswith("data: ") or not events
                yield json_format.Parse(line.removeprefix("data: "), call.response())

    async with (
        reach.http(mesh, http2=http2, accept=accept, **dict(call.metadata)) as client,
        client.stream(call.verb, call.url, json=call.body) as response,
    ):
        yield read(response)


GRPC_WEB: dict[str, Way] = {
    f"gRPC-Web {'text' if text else 'binary'}, HTTP/{2 if http2 else 1.1}": partial(by_grpc_web, http2=http2, text=text)
    for text in (False, True)
    for http2 in (False, True)
}
REST: dict[str, Way] = {f"REST, HTTP/{2 if http2 else 1.1}": partial(by_rest, http2=http2) for http2 in (False, True)}
EVENTS: dict[str, Way] = {
    f"server-sent events, HTTP/{2 if http2 else 1.1}": partial(by_rest, http2=http2, accept="text/event-stream")
    for http2 in (False, True)
}
UNARY: dict[str, Way] = {"gRPC": by_grpc, **GRPC_WEB, **REST}
STREAMS: dict[str, Way] = {**UNARY, **EVENTS}
