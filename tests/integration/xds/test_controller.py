"""The controller with a real Envoy: what is applied is taken, what is refused leads to the user's own line."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from protomesh.contract import compile_project
from protomesh.control.controller import Controller
from protomesh.control.status import ConfigurationStatus
from protomesh.model import Endpoint, Origin, Topology, UnixAddress
from protomesh.proxy import ConfigurationRefused, Schemas
from protomesh.targets.envoy import CLUSTER, ENDPOINTS, LISTENER
from tests.integration.envoy.lab import free_port
from tests.integration.xds.healthy import wait_healthy
from tests.integration.xds.plane import Plane, plane

PROTO = """\
syntax = "proto3";
package shop.stock.v1;
import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service StockService {
  option (protomesh.v1.service) = {timeout: "2s"};
  rpc GetStock(GetStockRequest) returns (GetStockResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/stock/{sku}"};
    option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC};
  }
}
message GetStockRequest { string sku = 1; }
message GetStockResponse { int32 count = 1; }
"""
METHOD = "/shop.stock.v1.StockService/GetStock"


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


class Project:
    """A project directory, and its control plane."""

    def __init__(self, root: Path, control: Plane) -> None:
        self.root = root
        self.layout = control.layout
        self.controller = control.controller
        self.envoy = control.envoy
        folder = root / "protos" / "shop" / "stock" / "v1"
        folder.mkdir(parents=True)
        (folder / "stock.proto").write_text(PROTO)

    def topology(self, port: int | None = None) -> Topology:
        """Compiled anew, with a gateway on a port that is free if none is given."""
        if port is None:
            port = free_port()
        (self.root / "mesh.yaml").write_text(
            f'name: shop\ngateways:\n  - listen: "127.0.0.1:{port}"\nservices:\n'
            '  stock: {run: "services.stock.app:app", serves: [shop.stock.v1.StockService]}\n'
        )
        return compile_project(self.root, variables={}).topology

    def override(self, text: str) -> None:
        folder = self.root / "envoy" / "overrides"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stock.yaml").write_text(text)

    async def call(self) -> bytes:
        """Calls the method through the operator's socket."""
        options = [("grpc.default_authority", "mesh"), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"unix:{self.layout.operator_socket}", options=options) as channel:
            call: Any = channel.unary_unary(METHOD)
            answer: bytes = await call(b"", timeout=10)
            return answer


@pytest.fixture
async def project(run_directory: Path, schemas: Schemas) -> AsyncIterator[Project]:
    """A project whose controller serves ADS."""
    async with plane(run_directory, schemas) as control:
        yield Project(run_directory, control)


@asynccontextmanager
async def worker(path: str, answer: bytes) -> AsyncIterator[Endpoint]:
    """A service that answers everything with the same bytes, and health."""

    async def reply(_request: bytes, _context: Any) -> bytes:
        return answer

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(reply)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("shop.stock.v1.StockService", {"GetStock": handler}),)
    )
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield Endpoint(address=UnixAddress(path))
    finally:
        await server.stop(5)


def acknowledged(controller: Controller) -> bool:
    """Whether Envoy has taken everything."""
    return all(status.acknowledged == status.resources for status in controller.configuration_status())


def _of(project: Project, type_url: str) -> ConfigurationStatus:
    return next(status for status in project.controller.configuration_status() if status.type_url == type_url)


async def test_what_is_applied_is_taken_and_endpoints_are_swapped_once_envoy_said_so(project: Project) -> None:
    """The old worker can go as soon as `set_endpoints` has returned."""
    topology = project.topology()
    await project.controller.apply(topology)
    async with project.envoy(topology) as envoy:
        await project.controller.wait_acknowledged()
        assert acknowledged(project.controller)

        async with worker(f"{project.root}/new.sock", b"new") as new:
            async with worker(f"{project.root}/old.sock", b"old") as old:
                await project.controller.set_endpoints("stock", [old])
                await wait_healthy(envoy, "stock", 1)
                assert await project.call() == b"old"
                await project.controller.set_endpoints("stock", [old, new])
                await wait_healthy(envoy, "stock", 2)
                await project.controller.set_endpoints("stock", [new])
            assert await project.call() == b"new"


async def test_a_suspended_service_is_rendered_anew_until_it_is_resumed(project: Project) -> None:
    """Under a debugger nothing ejects it; its endpoints stay meanwhile."""
    topology = project.topology()
    await project.controller.apply(topology)
    async with project.envoy(topology) as envoy, worker(f"{project.root}/w.sock", b"here") as here:
        await project.controller.set_endpoints("stock", [here])
        await wait_healthy(envoy, "stock", 1)

        async def checked() -> bool:
            return '"health_checks"' in await envoy.statistics.get("/config_dump?name_regex=^stock$")

        assert await checked()
        await project.controller.suspend("stock")
        await project.controller.wait_acknowledged()
        assert not await checked()
        assert await project.call() == b"here"
        await project.controller.resume("stock")
        await project.controller.wait_acknowledged()
        assert await checked()


async def test_endpoints_of_nothing_are_an_error(project: Project) -> None:
    """Before the first topology, and of a service that there is not."""
    with pytest.raises(KeyError):
        await project.controller.set_endpoints("stock", [])
    await project.controller.apply(project.topology())
    with pytest.raises(KeyError):
        await project.controller.set_endpoints("stick", [])
    with pytest.raises(KeyError):
        await project.controller.suspend("stick")


async def test_endpoints_without_an_envoy_time_out_and_are_there_when_it_comes(project: Project) -> None:
    """They are published nevertheless."""
    topology = project.topology()
    await project.controller.apply(topology)
    async with worker(f"{project.root}/w.sock", b"here") as here:
        with pytest.raises(TimeoutError, match="node 'shop', which is not connected, did not acknowledge"):
            await project.controller.set_endpoints("stock", [here], timeout=0.01)

        async with project.envoy(topology) as envoy:
            await wait_healthy(envoy, "stock", 1)
            assert await project.call() == b"here"


async def test_what_envoy_would_refuse_is_not_published(project: Project) -> None:
    """The text begins with the line in the user's own file; what was there before serves on, and a repair heals."""
    topology = project.topology()
    await project.controller.apply(topology)
    before = project.controller.configuration_status()
    project.override("cluster:\n  stock:\n    connect_timeout: -1s\n")

    with pytest.raises(ConfigurationRefused, match=r"^envoy/overrides/stock.yaml:2:3: Cluster stock: .*-1"):
        await project.controller.apply(topology)
    assert project.controller.configuration_status() == before

    project.override("cluster:\n  stock:\n    conect_timeout: 1s\n")
    with pytest.raises(ConfigurationRefused, match=r"^envoy/overrides/stock.yaml:2:3: Cluster stock: .*conect_timeout"):
        await project.controller.apply(topology)

    project.override("cluster:\n  stock:\n    connect_timeout: 3s\n")
    await project.controller.apply(topology)
    async with project.envoy(topology):
        await project.controller.wait_acknowledged()


async def test_a_refusal_leads_to_the_line_in_mesh_yaml(project: Project, taken_port: int) -> None:
    """A port that is taken passes the dry run, which binds nothing; the rest of the mesh works."""
    topology = project.topology(taken_port)
    await project.controller.apply(topology)
    async with project.envoy(topology) as envoy, worker(f"{project.root}/w.sock", b"here") as here:
        with pytest.raises(ConfigurationRefused, match=r"^mesh.yaml:3:\d+: edge: .*Address already in use"):
            await project.controller.wait_acknowledged()

        async with asyncio.timeout(10):
            answers = 0
            while _of(project, LISTENER).acknowledged < _of(project, LISTENER).resources - 1:
                answers = await project.controller.wait_answered(answers)
        (rejection,) = _of(project, LISTENER).rejections
        assert (rejection.resource, rejection.origin) == ("edge", Origin(file="mesh.yaml", line=3, column=5))
        assert _of(project, CLUSTER).rejections == _of(project, ENDPOINTS).rejections == ()

        await project.controller.set_endpoints("stock", [here])
        await wait_healthy(envoy, "stock", 1)
        assert await project.call() == b"here"


async def test_whoever_shows_the_status_hears_of_changes(project: Project) -> None:
    """Envoy connects and answers."""
    topology = project.topology()
    await project.controller.apply(topology)
    assert [status.acknowledged for status in project.controller.configuration_status()] == [0] * len(
        project.controller.configuration_status()
    )
    async with project.envoy(topology), asyncio.timeout(10):
        answers = 0
        while not acknowledged(project.controller):
            answers = await project.controller.wait_answered(answers)
