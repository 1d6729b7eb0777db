"""TLS to what runs elsewhere, from a real Envoy to a server of grpc's own: which certificates it takes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from protomesh.model import External, RpcService, ServerTls, Service, TcpAddress
from tests.integration.envoy.lab import METHODS, SERVICE, Item, ItemRequest, lab_topology, origin, running_lab
from tests.pki import Files, Pki

NAMES = ["far.test", "127.0.0.1"]


@asynccontextmanager
async def server(files: Files | None) -> AsyncGenerator[int]:
    """Answers with its port; plain text without files."""

    async def answer(_request: Any, _context: Any) -> Any:
        return Item(id="far")

    handler = grpc.unary_unary_rpc_method_handler(answer, ItemRequest.FromString, Item.SerializeToString)
    far = grpc.aio.server()
    far.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"CreateItem": handler})])
    if files is None:
        port = far.add_insecure_port("127.0.0.1:0")
    else:
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
        port = far.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await far.start()
    try:
        yield port
    finally:
        await far.stop(0)


async def called(port: int, authorities: Path, name: str) -> str:
    """What a call from the edge to that server ends with."""
    external = External(address=TcpAddress("127.0.0.1", port), tls=ServerTls(authorities=str(authorities), name=name))
    method = next(method for method in METHODS if method.name == "CreateItem")
    serves = (RpcService(full_name=SERVICE, methods=(method,), origin=origin()),)
    far = Service(name="far", runs=external, serves=serves, origin=origin())
    services = {"far": far, "legacy": lab_topology().services["legacy"]}
    async with running_lab(services=services) as lab, lab.channel() as call:
        try:
            return str((await call("CreateItem")).id)
        except grpc.aio.AioRpcError as error:
            return error.code().name


@pytest.mark.parametrize("name", NAMES)
async def test_a_server_that_proves_its_name_is_called(tmp_path: Path, name: str) -> None:
    """By host name or by address, with HTTP/2."""
    pki = Pki(tmp_path)
    async with server(pki.issue("far", names=NAMES)) as port:
        assert await called(port, pki.file, name) == "far"


async def test_any_other_server_is_not(tmp_path: Path) -> None:
    """One with another name, one whose certificate another CA has signed or that is over, and one without TLS."""
    pki, strangers = Pki(tmp_path, "ours"), Pki(tmp_path, "strangers")
    async with server(pki.issue("far", names=NAMES)) as port:
        assert await called(port, pki.file, "far.example") == "UNAVAILABLE"
        assert await called(port, pki.file, "test") == "UNAVAILABLE"
        assert await called(port, strangers.file, "far.test") == "UNAVAILABLE"
    for wrong in (strangers.issue("stranger", names=NAMES), pki.issue("old", names=NAMES, days=-1), None):
        async with server(wrong) as port:
            assert await called(port, pki.file, "far.test") == "UNAVAILABLE"
