"""TLS to what runs elsewhere, from a real Envoy to a server of grpc's own: which certificates it takes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from protomesh.contract import compile_project
from protomesh.control import server_authorities
from protomesh.control.server_authorities import ServerAuthorities
from protomesh.diagnostics import InvalidProject
from protomesh.proxy import Schemas
from tests.integration.envoy.lab import free_port
from tests.integration.xds.edge import PROTO, sit
from tests.integration.xds.plane import plane
from tests.pki import Files, Pki

NAMES = ["far.test", "127.0.0.1"]
Call = Callable[[], Awaitable[str]]


@asynccontextmanager
async def server(files: Files | None, port: int = 0) -> AsyncGenerator[int]:
    """Answers with its port; plain text without files."""

    async def answer(_request: bytes, _context: Any) -> bytes:
        return b""

    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    far = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    far.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("desk.v1.DeskService", {"Sit": handler})])
    if files is None:
        port = far.add_insecure_port(f"127.0.0.1:{port}")
    else:
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
        port = far.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair]))
    await far.start()
    try:
        yield port
    finally:
        await far.stop(0)


@asynccontextmanager
async def mesh(root: Path, schemas: Schemas, port: int, authorities: Path, name: str) -> AsyncIterator[Call]:
    """A mesh that knows that server; what one call from its edge ends with."""
    edge = free_port()
    (root / "protos/desk/v1").mkdir(parents=True, exist_ok=True)
    (root / "protos/desk/v1/desk.proto").write_text(PROTO)
    (root / "mesh.yaml").write_text(
        f'name: office\ngateways: [{{listen: "127.0.0.1:{edge}"}}]\n'
        f'services:\n  far: {{address: "127.0.0.1:{port}", tls: {{ca: {authorities}, name: {name}}}, '
        "serves: [desk.v1.DeskService]}\n"
    )
    topology = compile_project(root, variables={}).topology
    servers = ServerAuthorities(root)
    async with plane(root, schemas) as control:
        await control.controller.set_secrets(servers.load(topology.services.values()))
        await control.controller.apply(topology)
        async with control.envoy(topology), grpc.aio.insecure_channel(f"127.0.0.1:{edge}") as channel:
            following = asyncio.create_task(servers.follow(control.controller.set_secrets))
            try:
                await control.controller.wait_acknowledged()
                yield lambda: sit(channel)
            finally:
                following.cancel()


@pytest.mark.parametrize("name", NAMES)
async def test_a_server_that_proves_its_name_is_called(run_directory: Path, schemas: Schemas, name: str) -> None:
    """By host name or by address, with HTTP/2."""
    pki = Pki(run_directory)
    async with (
        server(pki.issue("far", names=NAMES)) as port,
        mesh(run_directory, schemas, port, pki.file, name) as call,
    ):
        assert await call() == "OK"


async def test_any_other_server_is_not(run_directory: Path, schemas: Schemas) -> None:
    """One with another name, one whose certificate another CA has signed or that is over, and one without TLS."""
    pki, strangers = Pki(run_directory, "ours"), Pki(run_directory, "strangers")
    async with server(pki.issue("far", names=NAMES)) as port:
        for file, name in ((pki.file, "far.example"), (pki.file, "test"), (strangers.file, "far.test")):
            async with mesh(run_directory, schemas, port, file, name) as call:
                assert await call() == "UNAVAILABLE"
    port = free_port()
    async with mesh(run_directory, schemas, port, pki.file, "far.test") as call:
        for wrong in (strangers.issue("stranger", names=NAMES), pki.issue("old", names=NAMES, days=-1), None):
            async with server(wrong, port):
                assert await call() == "UNAVAILABLE"
        async with server(pki.issue("far", names=NAMES), port):
            async with asyncio.timeout(20):  # it may be ejected for what was there before
                while await call() != "OK":
                    await asyncio.sleep(0.05)


async def test_a_new_ca_counts_at_once_and_an_old_one_no_more(
    run_directory: Path, schemas: Schemas, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the mesh runs; what can't be used is said, and the CAs from before hold."""
    monkeypatch.setattr(server_authorities, "_LOOKS", 0.02)
    caplog.set_level(logging.INFO)
    old, new = Pki(run_directory, "old"), Pki(run_directory, "new")
    file, port = run_directory / "trusted.pem", free_port()
    file.write_bytes(old.file.read_bytes())

    async def ends(call: Call, code: str) -> None:
        async with asyncio.timeout(20):
            while await call() != code:
                await asyncio.sleep(0.05)

    async def trust(content: bytes, said: str = "a server is known by other CAs") -> None:
        caplog.clear()
        file.write_bytes(content)
        async with asyncio.timeout(20):
            while said not in caplog.text:
                await asyncio.sleep(0.02)

    async with mesh(run_directory, schemas, port, file, "far.test") as call:
        async with server(new.issue("far-new", names=NAMES), port):
            assert await call() == "UNAVAILABLE"
            await trust(old.file.read_bytes() + new.file.read_bytes())
            await ends(call, "OK")
        await trust(b"nothing", "those from before hold")
        async with server(old.issue("far-old", names=NAMES), port):
            await ends(call, "OK")
        await trust(new.file.read_bytes())
        async with server(new.issue("far-new", names=NAMES), port):
            await ends(call, "OK")
        async with server(old.issue("far-old", names=NAMES), port):
            assert {await call() for _ in range(20)} == {"UNAVAILABLE"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the line that names it."""
    (tmp_path / "protos/desk/v1").mkdir(parents=True)
    (tmp_path / "protos/desk/v1/desk.proto").write_text(PROTO)
    (tmp_path / "mesh.yaml").write_text(
        'name: office\nservices:\n  far: {address: "far.test:443", tls: {ca: no.pem}, serves: [desk.v1.DeskService]}\n'
    )
    services = compile_project(tmp_path, variables={}).topology.services.values()
    with pytest.raises(InvalidProject, match=r"mesh.yaml:3:3: CERTIFICATE_UNUSABLE .*no.pem is not there"):
        ServerAuthorities(tmp_path).load(services)
