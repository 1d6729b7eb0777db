"""Client, mesh and service of different versions of a contract: what buf calls compatible works in every mixture.

What is not compatible never comes so far: `make check` stops it (tests/contract).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2_grpc

from protomesh.contract import compile_project
from protomesh.model import Endpoint, UnixAddress
from protomesh.proxy import Schemas
from tests.integration.envoy.lab import free_port
from tests.integration.xds.healthy import wait_healthy
from tests.integration.xds.plane import plane

_OLD = """\
syntax = "proto3";
package tea.v1;
import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service TeaService {
  option (protomesh.v1.service) = {timeout: "2s", audience: AUDIENCE_PUBLIC};
  rpc Brew(BrewRequest) returns (BrewResponse) {
    option (google.api.http) = {post: "/v1/tea" body: "*"};
  }
}
enum Leaf {
  LEAF_UNSPECIFIED = 0;
  LEAF_GREEN = 1;
}
message BrewRequest {
  Leaf leaf = 1;
  int32 grams = 2;
}
message BrewResponse {
  Leaf leaf = 1;
  int32 minutes = 2;
}
"""
_POUR = """\
  rpc Pour(PourRequest) returns (PourResponse) {
    option (google.api.http) = {post: "/v1/tea:pour"};
  }
}
message PourRequest {}
message PourResponse {}
enum Leaf {
"""
_NEW = (
    _OLD.replace("}\nenum Leaf {\n", _POUR)
    .replace("  LEAF_GREEN = 1;\n", "  LEAF_GREEN = 1;\n  LEAF_OOLONG = 2;\n")
    .replace("  int32 grams = 2;\n", "  int32 grams = 2;\n  optional int32 celsius = 3;\n")
    .replace("  int32 minutes = 2;\n", "  int32 minutes = 2;\n  string cup = 3;\n")
)
_CONTRACTS = {"old": _OLD, "new": _NEW}


@dataclass(frozen=True)
class Version:
    """A version of the contract: the project that it is, and its messages."""

    name: str
    root: Path
    pool: DescriptorPool

    @classmethod
    def of(cls, name: str, root: Path, port: int) -> "Version":
        """Writes the project below `root`, with its gateway at `port`, and compiles it."""
        (root / "protos/tea/v1").mkdir(parents=True)
        (root / "protos/tea/v1/tea.proto").write_text(_CONTRACTS[name])
        (root / "mesh.yaml").write_text(
            f'name: house\ngateways: [{{listen: "127.0.0.1:{port}"}}]\n'
            "services: {tea: {run: tea.app:app, serves: [tea.v1.TeaService]}}\n"
        )
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(compile_project(root, variables={}).topology.descriptors).file:
            pool.Add(file)
        return cls(name, root, pool)

    def message(self, name: str) -> Any:
        """The class of a message."""
        return GetMessageClass(self.pool.FindMessageTypeByName(f"tea.v1.{name}"))


@asynccontextmanager
async def served(version: Version, path: str) -> AsyncIterator[Endpoint]:
    """The service as that version has it: what it knows of a request decides what it answers."""
    request_type, response_type = version.message("BrewRequest"), version.message("BrewResponse")

    async def brew(raw: bytes, _context: Any) -> bytes:
        request = request_type.FromString(raw)
        response = response_type(leaf=request.leaf, minutes=request.grams)
        if version.name == "new":
            response.cup = f"at {request.celsius}" if request.HasField("celsius") else "as always"
        answer: bytes = response.SerializeToString()
        return answer

    async def pour(_raw: bytes, _context: Any) -> bytes:
        return b""

    handlers: dict[str, Any] = {"Brew": grpc.unary_unary_rpc_method_handler(brew)}
    if version.name == "new":
        handlers["Pour"] = grpc.unary_unary_rpc_method_handler(pour)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tea.v1.TeaService", handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield Endpoint(address=UnixAddress(path))
    finally:
        await server.stop(0)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Version], int]:
    """Both versions, as one mesh at one port, one after the other."""
    port = free_port()
    return {name: Version.of(name, tmp_path_factory.mktemp(name), port) for name in _CONTRACTS}, port


@pytest.mark.parametrize(("server", "mesh"), list(product(_CONTRACTS, _CONTRACTS)))
async def test_old_and_new_work_together(
    run_directory: Path, schemas: Schemas, versions: tuple[dict[str, Version], int], server: str, mesh: str
) -> None:
    """With both kinds of clients, by gRPC and by REST: what all three know arrives, and nothing fails for the rest."""
    known, port = versions
    topology = compile_project(known[mesh].root, variables={}).topology
    async with plane(run_directory, schemas) as control:
        await control.controller.apply(topology)
        async with (
            control.envoy(topology) as envoy,
            served(known[server], f"{run_directory}/tea.sock") as endpoint,
        ):
            await control.controller.set_endpoints("tea", [endpoint])
            await wait_healthy(envoy, "tea", 1)
            await control.controller.wait_acknowledged()
            await _check_grpc(known, port, server, mesh)
            await _check_rest(port, server, mesh)


async def _check_grpc(known: dict[str, Version], port: int, server: str, mesh: str) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        brew: Any = channel.unary_unary("/tea.v1.TeaService/Brew")
        for client in known.values():
            request = client.message("BrewRequest")(leaf=1, grams=3)
            if client.name == "new":
                request.celsius = 80
            raw = await brew(request.SerializeToString(), timeout=10)
            response = client.message("BrewResponse").FromString(raw)
            assert (response.leaf, response.minutes) == (1, 3)
            if client.name == "new":
                assert response.cup == ("at 80" if server == "new" else "")
            elif server == "new":  # what a client does not know it keeps
                assert known["new"].message("BrewResponse").FromString(response.SerializeToString()).cup == "as always"
        oolong = known["new"].message("BrewRequest")(leaf=2).SerializeToString()
        # Enums of proto3 are open: a value that nobody on the way knows arrives as its number.
        assert known["old"].message("BrewResponse").FromString(await brew(oolong, timeout=10)).leaf == 2
        pour: Any = channel.unary_unary("/tea.v1.TeaService/Pour")
        if (server, mesh) == ("new", "new"):
            assert await pour(b"", timeout=10) == b""
        else:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await pour(b"", timeout=10)
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def _check_rest(port: int, server: str, mesh: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        old = await client.post("/v1/tea", json={"leaf": "LEAF_GREEN", "grams": 3})
        expected = {"leaf": "LEAF_GREEN", "minutes": 3}
        assert old.json() == (expected | {"cup": "as always"} if (server, mesh) == ("new", "new") else expected)
        new = await client.post("/v1/tea", json={"leaf": 2, "grams": 3, "celsius": 80})
        assert new.status_code == 200, new.text
        assert new.json()["leaf"] == ("LEAF_OOLONG" if mesh == "new" else 2)
        poured = (await client.post("/v1/tea:pour")).status_code
        assert poured == {("new", "new"): 200, ("old", "new"): 501}.get((server, mesh), 404)
