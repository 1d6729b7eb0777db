"""Reflection and health on their unix sockets, with real clients."""

import asyncio
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from protomesh.control.api import EdgeApi, OperatorApi
from protomesh.model import Layout, Topology

OWN = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
Serving = health_pb2.HealthCheckResponse


@pytest.fixture
def layout(run_directory: Path) -> Layout:
    """Where the sockets are."""
    return Layout(run=PurePosixPath(run_directory), state=PurePosixPath(run_directory) / "state")


@asynccontextmanager
async def serving(api: EdgeApi | OperatorApi, topology: Topology, socket: str) -> AsyncIterator[grpc.aio.Channel]:
    """An API that runs, and a channel to it."""
    await api.start(topology)
    options = [("grpc.default_authority", "mesh"), ("grpc.use_local_subchannel_pool", 1)]
    try:
        async with grpc.aio.insecure_channel(f"unix:{socket}", options=options) as channel:
            yield channel
    finally:
        await api.stop()


class Reflection:
    """One stream of questions, in either version."""

    def __init__(self, channel: grpc.aio.Channel, version: str = "v1") -> None:
        self.call: Any = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )()

    async def ask(self, **question: Any) -> reflection_pb2.ServerReflectionResponse:
        await self.call.write(reflection_pb2.ServerReflectionRequest(**question))
        response: reflection_pb2.ServerReflectionResponse = await asyncio.wait_for(self.call.read(), 10)
        return response

    async def services(self) -> list[str]:
        response = await self.ask(list_services="*")
        return [service.name for service in response.list_services_response.service]

    async def files(self, **question: Any) -> list[str]:
        response = await self.ask(**question)
        files = response.file_descriptor_response.file_descriptor_proto
        return [FileDescriptorProto.FromString(file).name for file in files]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_the_edge_lists_what_is_exposed(shop: Topology, layout: Layout, version: str) -> None:
    """In both versions of reflection, and these themselves and health."""
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket) as channel:
        assert await Reflection(channel, version).services() == [*OWN, "shop.stock.v1.StockService"]


async def test_the_operator_sees_everything(shop: Topology, layout: Layout) -> None:
    """INTERNAL methods included."""
    async with serving(OperatorApi(layout), shop, layout.operator_api_socket) as channel:
        reflection = Reflection(channel)
        assert await reflection.services() == [*OWN, "shop.stock.v1.LedgerService", "shop.stock.v1.StockService"]
        assert await reflection.files(file_containing_symbol="shop.stock.v1.StockService.Move") != []


@pytest.mark.parametrize(
    "symbol",
    [
        "shop.stock.v1.StockService",
        "shop.stock.v1.StockService.GetStock",
        "shop.stock.v1.GetStockRequest",
        "shop.stock.v1.GetStockRequest.sku",
    ],
)
async def test_a_symbol_is_answered_with_its_file_and_all_that_it_imports(
    shop: Topology, layout: Layout, symbol: str
) -> None:
    """The file that was asked for comes first."""
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket) as channel:
        assert await Reflection(channel).files(file_containing_symbol=symbol) == [
            "shop/stock/v1/stock.proto",
            "protomesh/v1/options.proto",
            "shop/stock/v1/errors.proto",
            "shop/stock/v1/types.proto",
            "google/protobuf/descriptor.proto",
            "google/rpc/code.proto",
        ]


async def test_files_and_extensions_are_found(shop: Topology, layout: Layout) -> None:
    """By file name, and by the number of an option."""
    options = "google.protobuf.MethodOptions"
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket) as channel:
        reflection = Reflection(channel)
        assert await reflection.files(file_by_filename="shop/stock/v1/types.proto") == ["shop/stock/v1/types.proto"]
        extension = {"containing_type": options, "extension_number": 51423}
        files = await reflection.files(file_containing_extension=extension)
        assert files[0] == "protomesh/v1/options.proto"
        numbers = await reflection.ask(all_extension_numbers_of_type=options)
        assert list(numbers.all_extension_numbers_response.extension_number) == [51423]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"file_containing_symbol": "shop.stock.v1.StockService.Move"}, grpc.StatusCode.NOT_FOUND),
        ({"file_by_filename": "shop/stock/v1/internal.proto"}, grpc.StatusCode.NOT_FOUND),
        ({"all_extension_numbers_of_type": "no.Such"}, grpc.StatusCode.NOT_FOUND),
        (
            {"file_containing_extension": {"containing_type": "no.Such", "extension_number": 1}},
            grpc.StatusCode.NOT_FOUND,
        ),
        ({}, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_what_is_not_there_is_an_error_and_the_stream_goes_on(
    shop: Topology, layout: Layout, question: dict[str, Any], code: grpc.StatusCode
) -> None:
    """Hidden and missing look the same."""
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket) as channel:
        reflection = Reflection(channel)
        assert (await reflection.ask(**question)).error_response.error_code == code.value[0]
        assert len(await reflection.services()) == 4


async def test_an_open_stream_sees_a_new_contract_at_once(
    compile_shop: Callable[..., Topology], stock_proto: str, layout: Layout
) -> None:
    """Nobody has to connect again."""
    api = EdgeApi(layout)
    async with serving(api, compile_shop(), layout.edge_api_socket) as channel:
        reflection = Reflection(channel)
        assert "shop.stock.v1.LedgerService" not in await reflection.services()

        public = stock_proto.replace(
            "rpc Book(MoveRequest) returns (MoveResponse);",
            "rpc Book(MoveRequest) returns (MoveResponse) "
            "{ option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC}; }",
        )
        await api.update(compile_shop(public))

        assert "shop.stock.v1.LedgerService" in await reflection.services()
        assert await reflection.files(file_containing_symbol="shop.stock.v1.Hidden") == ["shop/stock/v1/internal.proto"]


async def test_the_sockets_are_for_their_owner_only(shop: Topology, layout: Layout) -> None:
    """Envoy runs under the same user."""
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket):
        assert stat.S_IMODE(Path(layout.edge_api_socket).stat().st_mode) == 0o600
    async with serving(OperatorApi(layout), shop, layout.operator_api_socket):
        assert stat.S_IMODE(Path(layout.operator_api_socket).stat().st_mode) == 0o600


async def test_health_follows_the_services(shop: Topology, layout: Layout) -> None:
    """The mesh serves when all of it does; an RPC service when its owner does."""
    api = EdgeApi(layout)
    async with serving(api, shop, layout.edge_api_socket) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def check(service: str) -> int:
            status: int = (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status
            return status

        assert await check("") == Serving.NOT_SERVING
        api.set_serving("stock", True)
        assert await check("") == Serving.SERVING
        assert await check("shop.stock.v1.StockService") == Serving.SERVING
        api.set_serving("stock", False)
        assert await check("shop.stock.v1.StockService") == Serving.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check("shop.stock.v1.LedgerService")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched(shop: Topology, layout: Layout) -> None:
    """Each change is told once; an unknown service is told as unknown and not refused; stopping ends the watch."""
    api = EdgeApi(layout)
    async with serving(api, shop, layout.edge_api_socket) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="shop.stock.v1.StockService"))
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"))

        assert (await asyncio.wait_for(watch.read(), 10)).status == Serving.NOT_SERVING
        assert (await asyncio.wait_for(unknown.read(), 10)).status == Serving.SERVICE_UNKNOWN
        api.set_serving("stock", True)
        assert (await asyncio.wait_for(watch.read(), 10)).status == Serving.SERVING

        await api.stop()
        assert await asyncio.wait_for(watch.read(), 10) is grpc.aio.EOF
        assert await asyncio.wait_for(unknown.read(), 10) is grpc.aio.EOF


async def test_health_lists_what_is_shown(shop: Topology, layout: Layout) -> None:
    """The edge's list hides what is not exposed; the operator's has everything."""

    async def names(channel: grpc.aio.Channel) -> list[str]:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request: Any = vars(health_pb2)["HealthListRequest"]()
        return sorted((await stub.List(request)).statuses)

    async with serving(EdgeApi(layout), shop, layout.edge_api_socket) as channel:
        assert await names(channel) == ["", "shop.stock.v1.StockService"]
    async with serving(OperatorApi(layout), shop, layout.operator_api_socket) as channel:
        assert await names(channel) == ["", "shop.stock.v1.LedgerService", "shop.stock.v1.StockService"]


async def grpcurl(socket: str, *arguments: str) -> str:
    """What grpcurl prints, from this environment or from the PATH."""
    beside = Path(sys.executable).with_name("grpcurl")
    program = str(beside) if beside.exists() else shutil.which("grpcurl")
    assert program, "grpcurl is not installed; run: scripts/test-deps"
    process = await asyncio.create_subprocess_exec(
        *(program, "-plaintext", "-unix", "-max-time", "20", socket, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_grpcurl_lists_and_describes(shop: Topology, layout: Layout) -> None:
    """Without any .proto at hand."""
    async with serving(EdgeApi(layout), shop, layout.edge_api_socket):
        socket = layout.edge_api_socket
        assert (await grpcurl(socket, "list")).split() == [*OWN, "shop.stock.v1.StockService"]
        assert (await grpcurl(socket, "list", "shop.stock.v1.StockService")).split() == [
            "shop.stock.v1.StockService.GetStock"
        ]
        described = await grpcurl(socket, "describe")
        for text in ("service Health", "service ServerReflection", "// Gets the stock of a product.", "rpc GetStock"):
            assert text in described
        assert "Move" not in described
        assert "map<string, .shop.stock.v1.Shelf.Level> levels = 1;" in await grpcurl(
            socket, "describe", "shop.stock.v1.GetStockResponse"
        )
        assert await grpcurl(socket, "grpc.health.v1.Health/Check") == '{\n  "status": "NOT_SERVING"\n}\n'
