"""A small mesh to try policies on: its contract, a backend that does what a test says, and a real Envoy before it."""

import asyncio
import contextlib
import json
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_tools import protoc

from protomesh.model import (
    Audience,
    Call,
    Cors,
    DeclaredError,
    Endpoint,
    External,
    Gateway,
    Layout,
    Method,
    Origin,
    PrefixRoute,
    PythonApp,
    RateLimit,
    RestBinding,
    RetryPolicy,
    RpcService,
    Safety,
    Service,
    TcpAddress,
    Topology,
    UnixAddress,
)
from protomesh.proxy import EnvoyProcess, find
from protomesh.targets.envoy import Override, apply_overrides, render, static_bootstrap

CONTRACT = """
syntax = "proto3";
package lab.v1;
import "google/protobuf/timestamp.proto";

service LabService {
  rpc GetItem(ItemRequest) returns (Item);
  rpc CreateItem(ItemRequest) returns (Item);
  rpc WatchItems(ItemRequest) returns (stream Item);
  rpc ImportItems(stream ItemRequest) returns (Item);
  rpc LimitedItem(ItemRequest) returns (Item);
  rpc SmallItem(ItemRequest) returns (Item);
  rpc SlowItem(ItemRequest) returns (Item);
  rpc MyItem(ItemRequest) returns (Item);
  rpc MyLimitedItem(ItemRequest) returns (Item);
  rpc EditItem(ItemRequest) returns (Item);
  rpc AdminItem(ItemRequest) returns (Item);
}
message ItemRequest {
  string id = 1;
  string note = 2;
}
message Item {
  string id = 1;
  string note = 2;
  google.protobuf.Timestamp create_time = 3;
}
message OutOfItems {
  string id = 1;
  int32 left = 2;
}
"""
SERVICE = "lab.v1.LabService"
PAGE = "https://page.test"
"""The origin whose pages may call."""

Handler = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]


def compile_contract() -> bytes:
    """The contract's FileDescriptorSet, by protoc."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "lab.proto").write_text(CONTRACT, encoding="utf-8")
        out = Path(directory, "lab.binpb")
        include = Path(str(protoc.__file__)).parent / "_proto"
        googleapis = Path(status_pb2.__file__).parents[2]
        arguments = ["protoc", f"-I{directory}", f"-I{include}", "--include_imports", f"--descriptor_set_out={out}"]
        errors = ("google/rpc/status.proto", "google/rpc/error_details.proto")
        assert protoc.main([*arguments, f"-I{googleapis}", *errors, "lab.proto"]) == 0
        return out.read_bytes()


DESCRIPTORS = compile_contract()
_POOL = DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file:
    _POOL.AddSerializedFile(_file.SerializeToString())


def message(name: str) -> type[Any]:
    """The class of one of the contract's messages."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"lab.v1.{name}"))


ItemRequest: type[Any] = message("ItemRequest")
Item: type[Any] = message("Item")
OutOfItems: type[Any] = message("OutOfItems")


def origin(line: int = 1, file: str = "protos/lab/v1/lab_service.proto") -> Origin:
    """A place in a file of the lab."""
    return Origin(file=file, line=line)


def rest(verb: str, template: str, body: str = "") -> tuple[RestBinding, ...]:
    """A method's only REST binding."""
    return (RestBinding(verb=verb, template=template, body=body, origin=origin()),)


def method(name: str, **policy: Any) -> Method:
    """A PUBLIC unary method with a deadline of two seconds, but for what `policy` says."""
    defaults: dict[str, Any] = {
        "full_name": f"{SERVICE}/{name}",
        "request": "lab.v1.ItemRequest",
        "response": "lab.v1.Item",
        "audience": Audience.PUBLIC,
        "timeout": timedelta(seconds=2),
        "retry": RetryPolicy(),
        "origin": origin(),
    }
    return Method(**(defaults | policy))


METHODS = (
    method(
        "GetItem",
        safety=Safety.NO_SIDE_EFFECTS,
        retry=RetryPolicy(after_response=True),
        rest=rest("GET", "/v1/items/{id}"),
        errors=("lab.v1.OutOfItems",),
    ),
    method("CreateItem", rest=rest("POST", "/v1/items", "*")),
    method("WatchItems", server_streaming=True, timeout=None, retry=None, rest=rest("GET", "/v1/items:watch")),
    method("ImportItems", client_streaming=True, timeout=None, retry=None),
    method("LimitedItem", rate_limit=RateLimit(requests=3, per=timedelta(minutes=1)), rest=rest("GET", "/v1/limited")),
    method("SmallItem", max_request_bytes=1024, rest=rest("POST", "/v1/small", "*")),
    method("SlowItem", timeout=timedelta(milliseconds=200), rest=rest("GET", "/v1/slow")),
    method("MyItem", audience=Audience.USER, rest=rest("GET", "/v1/mine")),
    method(
        "MyLimitedItem",
        audience=Audience.USER,
        rate_limit=RateLimit(requests=2, per=timedelta(minutes=1)),
        rest=rest("GET", "/v1/mine/limited"),
    ),
    method(
        "EditItem", audience=Audience.USER, scopes=("lab.read", "lab.write"), rest=rest("POST", "/v1/mine:edit", "*")
    ),
    method("AdminItem", audience=Audience.INTERNAL, rest=()),
)


def lab_topology(port: int = 8080, legacy: int = 9000, **changes: Any) -> Topology:
    """Service `lab` serves everything, `caller` may call two of its methods, `legacy` is a program of its own."""
    lab = Service(
        name="lab",
        runs=PythonApp(target="lab.app:app"),
        serves=(RpcService(full_name=SERVICE, methods=METHODS, origin=origin()),),
        workers=2,
        origin=origin(3, "mesh.yaml"),
    )
    names = ("GetItem", "CreateItem", "SlowItem")
    calls = Call(service="lab", methods=tuple(f"{SERVICE}/{name}" for name in names), origin=origin(5, "mesh.yaml"))
    caller = Service(
        name="caller", runs=PythonApp(target="caller:app"), serves=(), calls=(calls,), origin=origin(4, "mesh.yaml")
    )
    external = External(address=TcpAddress("127.0.0.1", legacy), http1=True)
    old = Service(name="legacy", runs=external, serves=(), origin=origin(6, "mesh.yaml"))
    gateway = Gateway(
        name="edge",
        listen=TcpAddress("127.0.0.1", port),
        cors=Cors(origins=(PAGE,)),
        routes=(PrefixRoute(prefix="/legacy/", service="legacy", origin=origin(8, "mesh.yaml")),),
        origin=origin(7, "mesh.yaml"),
    )
    error = DeclaredError(
        full_name="lab.v1.OutOfItems", code=9, message="only {left} left", fields=("id", "left"), origin=origin()
    )
    topology = Topology(
        name="lab",
        services={"caller": caller, "lab": lab, "legacy": old},
        gateways=(gateway,),
        errors={error.full_name: error},
        descriptors=DESCRIPTORS,
        origin=origin(1, "mesh.yaml"),
    )
    return replace(topology, **changes)


def free_port() -> int:
    """A port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Backend:
    """A grpc.aio server of the contract. A method echoes, until a test says what it does."""

    path: str
    calls: Counter[str] = field(default_factory=Counter)
    metadata: dict[str, str] = field(default_factory=dict)  # of the last call
    pairs: list[tuple[str, str]] = field(default_factory=list)  # the same, also what came twice
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _server: grpc.aio.Server | None = None

    @contextlib.contextmanager
    def on(self, name: str, handler: Handler) -> Any:
        """Lets a method be handled by `handler` for a while, and counts its calls from nought."""
        self._handlers[name] = handler
        self.calls[name] = 0
        try:
            yield
        finally:
            del self._handlers[name]

    async def start(self) -> None:
        """Starts to serve, and to be healthy."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers = {item.name: self._handler(item) for item in METHODS}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        servicer = health.aio.HealthServicer()
        await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        assert server.add_insecure_port(f"unix:{self.path}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Stops at once."""
        assert self._server is not None
        await self._server.stop(0)

    def _handler(self, item: Method) -> Any:
        def note(context: Any) -> Handler | None:
            self.calls[item.name] += 1
            self.pairs = [(key, str(value)) for key, value in context.invocation_metadata()]
            self.metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            return self._handlers.get(item.name)

        async def unary(request: Any, context: Any) -> Any:
            handler = note(context)
            return await handler(request, context) if handler else Item(id=request.id, note=request.note)

        async def stream_out(request: Any, context: Any) -> AsyncIterator[Message]:
            handler = note(context)
            if handler:
                async for reply in handler(request, context):  # type: ignore[attr-defined]  # here it is a generator
                    yield reply
                return
            for index in range(3):
                yield Item(id=str(index), note=request.note)

        async def stream_in(requests: AsyncIterator[Any], context: Any) -> Any:
            note(context)
            return Item(id=",".join([request.id async for request in requests]))

        codec = {"request_deserializer": ItemRequest.FromString, "response_serializer": Item.SerializeToString}
        if item.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream_out, **codec)
        if item.client_streaming:
            return grpc.stream_unary_rpc_method_handler(stream_in, **codec)
        return grpc.unary_unary_rpc_method_handler(unary, **codec)


async def legacy_server(port: int) -> asyncio.Server:
    """An HTTP/1.1 program that knows nothing of any contract; it answers with the request line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = head.split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)


async def failure(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """The error that a call ends with; a call that succeeds fails the test."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"the call was answered: {answer}")


class Cable:
    """Stands between Envoy and a backend, so that it can break as a process does that is killed."""

    def __init__(self, backend: Backend, path: str) -> None:
        self.path = path
        self._backend = backend
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to carry."""
        self._server = await asyncio.start_unix_server(self._plugged, self.path)

    async def cut(self) -> None:
        """Breaks every connection without a word, and takes no more. May be called twice."""
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _plugged(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._backend.path)
        self._ends += [writer, back]
        for source, target in ((reader, back), (there, writer)):
            pump = asyncio.create_task(self._pump(source, target))
            self._pumps.add(pump)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while content := await source.read(65536):
            target.write(content)
            await target.drain()


async def health_server(socket: str) -> grpc.aio.Server:
    """Stands for one of the mesh's own APIs: it knows a service by the name of its socket, and no other."""
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    await servicer.set(Path(socket).stem, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    assert server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


@dataclass
class Lab:
    """The running mesh: its backends, their Envoy, and ways to reach it."""

    topology: Topology
    layout: Layout
    envoy: EnvoyProcess
    backends: Sequence[Backend]
    cables: Sequence[Cable]  # to each backend, where there are several

    @property
    def backend(self) -> Backend:
        """The backend; of the second there is only `backends`."""
        return self.backends[0]

    @contextlib.asynccontextmanager
    async def channel(self, address: str = "") -> AsyncGenerator[Callable[..., Any]]:
        """A way to call methods by gRPC, at the edge or at an address: `await call("GetItem", id="1")`."""
        options = [("grpc.default_authority", "lab")] if address.startswith("unix:") else []
        async with grpc.aio.insecure_channel(address or self.address, options=options) as channel:

            def call(name: str, *, timeout: float | None = None, metadata: Any = None, **fields: str) -> Any:
                codec = {
                    "request_serializer": ItemRequest.SerializeToString,
                    "response_deserializer": Item.FromString,
                }
                path = f"/{SERVICE}/{name}"
                if name == "WatchItems":
                    watch = channel.unary_stream(path, **codec)
                    return watch(ItemRequest(**fields), timeout=timeout, metadata=metadata)
                start = channel.unary_unary(path, **codec)
                return start(ItemRequest(**fields), timeout=timeout, metadata=metadata)

            yield call

    @property
    def address(self) -> str:
        """Where the edge listens, host:port."""
        return str(self.topology.gateways[0].listen)

    @property
    def url(self) -> str:
        """Where the edge listens, as a URL."""
        return f"http://{self.address}"

    async def logged(self, request_id: str) -> dict[str, Any]:
        """The line of the access log of one request, waited for: Envoy writes twice a second."""
        log = Path(self.layout.logs / "access.log")
        async with asyncio.timeout(10):
            while True:
                for line in log.read_text(encoding="utf-8").splitlines():
                    entry: dict[str, Any] = json.loads(line)
                    if entry["request_id"] == request_id:
                        return entry
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running_lab(
    backends: int = 1,
    *,
    overrides: Sequence[Override] = (),
    adjust: Callable[[dict[str, Any]], None] = lambda _: None,
    **changes: Any,
) -> AsyncGenerator[Lab]:
    """Runs the lab for as long as the context lasts; `changes` are fields of its topology.

    `adjust` may make a bound of the bootstrap so small that a test can wait for it.
    """
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:  # short: a socket's path may have 103 bytes
        layout = Layout(run=PurePosixPath(directory), state=PurePosixPath(directory) / "state")
        legacy = free_port()
        topology = lab_topology(free_port(), legacy, **changes)
        Path(layout.worker_sockets("lab")).mkdir()
        servers = [Backend(layout.worker_socket("lab", 1, index)) for index in range(backends)]
        for server in servers:
            await server.start()
        old = await legacy_server(legacy)
        apis = [await health_server(path) for path in (layout.edge_api_socket, layout.operator_api_socket)]
        cables = [Cable(server, f"{server.path}.cable") for server in servers] if backends > 1 else []
        for cable in cables:
            await cable.start()
        endpoints = {"lab": [Endpoint(address=UnixAddress(item.path)) for item in cables or servers]}
        configuration = apply_overrides(render(topology, layout), overrides)
        bootstrap = static_bootstrap(configuration, layout, endpoints)
        adjust(bootstrap)
        envoy = await EnvoyProcess.start(find(), bootstrap, layout, concurrency=1)
        try:
            await envoy.wait_live()
            yield Lab(topology, layout, envoy, servers, cables)
        finally:
            await envoy.stop()
            old.close()
            await old.wait_closed()
            for api in apis:
                await api.stop(0)
            for cable in cables:
                await cable.cut()
            for server in servers:
                await server.stop()
