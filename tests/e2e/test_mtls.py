"""A mesh with mutual TLS inside: who gets in where, and certificates that change while it is used."""

import asyncio
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from protomesh.model import Layout
from protomesh.runtime import Mesh as RuntimeMesh
from protomesh.runtime.identity import Identity, IdentityFiles
from protomesh.runtime.launch import Launch, environment
from tests.e2e.load import SAY, under_load
from tests.e2e.mesh import COMMAND, Mesh, eventually
from tests.e2e.reach import layout
from tests.e2e.terminal import Terminal
from tests.e2e.test_reload import reload

HEALTH = "/grpc.health.v1.Health/Check"
WHISPER = "/echo.v1.EchoService/Whisper"
REPEAT = "/echo.v1.EchoService/Repeat"
REPEAT_OFTEN = b"\x0a\x01x\x10\x90\x4e\x18\x32"  # RepeatRequest{text: "x", times: 10000, delay_ms: 50}
SECONDS = 6  # that a certificate is valid, and a CA the newest
DAEMON = f"""
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from protomesh.control import mesh_log
from protomesh.control.daemon import Daemon
from protomesh.control.identities import Lifetimes

mesh_log.configure()
short = timedelta(seconds={SECONDS})
sys.exit(asyncio.run(Daemon(Path(sys.argv[1]), lifetimes=Lifetimes(certificate=short, authority=short)).run()))
"""


def set_mtls(mesh: Mesh) -> None:
    """From the next start on."""
    file = mesh.root / "mesh.yaml"
    file.write_text(file.read_text().replace("name: small\n", "name: small\nmtls: true\n"))


def identity(where: Layout, service: str) -> Identity:
    """What a service's workers show."""
    return IdentityFiles(Path(where.identity_file(service)), Path(where.authorities_file)).read()


async def knock(path: str, method: str, credentials: grpc.ChannelCredentials | None, name: str = "mesh") -> str:
    """Calls once; the code of the answer."""
    options = [("grpc.default_authority", name), ("grpc.ssl_target_name_override", name)]
    if credentials is None:
        channel = grpc.aio.insecure_channel(f"unix:{path}", options=options[:1])
    else:
        channel = grpc.aio.secure_channel(f"unix:{path}", credentials, options=options)
    async with channel:
        call: Any = channel.unary_unary(method)
        try:
            await call(b"", timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def test_nobody_but_the_right_one_gets_in(mesh: Mesh) -> None:
    """Envoy at a worker, a service at its own egress; and everything that people use goes on working."""
    set_mtls(mesh)
    mesh.protomesh("up", check=True)
    assert mesh.call("Ask", {"text": "x"})["caller"] == "front"
    assert mesh.call("Whisper", {"text": "x"}, "--as", "front")["caller"] == "front"
    assert mesh.call("Whisper", {"text": "x"})["caller"] == "operator"
    assert mesh.call("GetZone")["zone"] == "UTC"
    refused = mesh.protomesh("call", "Whisper", "{}", "--as", "clock")
    assert "clock may not call echo.v1.EchoService/Whisper" in refused.stdout + refused.stderr

    where = layout(mesh)
    worker = mesh.service("echo")["endpoints"][0].removeprefix("unix:")
    front, clock = identity(where, "front"), identity(where, "clock")
    anonymous = grpc.ssl_channel_credentials(front.authorities)
    egress = where.egress_socket("front")
    assert await knock(egress, WHISPER, front.channel_credentials()) == "OK"
    for credentials in (None, anonymous, clock.channel_credentials()):
        assert await knock(egress, WHISPER, credentials) == "UNAVAILABLE"
    assert await knock(worker, HEALTH, None, "echo") == "UNAVAILABLE"
    for shown in (None, where.identity_file("front"), where.identity_file("echo")):
        assert not await asyncio.to_thread(lets_in, worker, shown)
    for file in (where.identity_file("front"), where.authorities_file):
        assert Path(file).stat().st_mode & 0o777 == 0o600

    mesh.protomesh("restart", "echo", check=True)
    assert mesh.call("Ask", {"text": "x"})["caller"] == "front"


def test_a_worker_in_a_terminal_has_it_too(mesh: Mesh) -> None:
    """`protomesh run` tells it where its files are, and takes none that would let in anybody."""
    set_mtls(mesh)
    mesh.protomesh("up", check=True)
    terminal = Terminal([COMMAND, "run", "front"], cwd=mesh.root, env=mesh.env)
    try:
        terminal.read_until("every call reaches this terminal")
        assert mesh.call("Ask", {"text": "x"})["caller"] == "front"
    finally:
        terminal.close()
    eventually(lambda: mesh.service("front")["state"] == "STATE_SERVING", "the mesh's own worker is back")
    server = mesh.root / "clock" / "server.py"
    server.write_text(server.read_text().replace('os.environ.get("PROTOMESH_TLS_IDENTITY")', "None"))
    terminal = Terminal([COMMAND, "run", "clock"], cwd=mesh.root, env=mesh.env)
    try:
        terminal.read_until("the mesh has let go of clock: it answers without TLS")
    finally:
        terminal.close()


def lets_in(path: str, pair: str | None) -> bool:
    """Whether a server begins to speak HTTP/2 with a client that trusts everybody and shows `pair`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if pair is not None:
        context.load_cert_chain(pair)
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(path)
        try:
            with context.wrap_socket(plain) as secured:
                return secured.recv(1) != b""
        except (ssl.SSLError, ConnectionError):
            return False


async def test_a_worker_without_tls_is_told_what_to_do(mesh: Mesh) -> None:
    """At once: it will not begin to by itself."""
    set_mtls(mesh)
    server = mesh.root / "clock" / "server.py"
    server.write_text(server.read_text().replace('os.environ.get("PROTOMESH_TLS_IDENTITY")', "None"))
    done = mesh.protomesh("up")
    assert done.returncode != 0
    printed = " ".join((done.stdout + done.stderr).split())
    assert "it answers without TLS. mesh.yaml says `mtls: true`" in printed
    assert "PROTOMESH_TLS_IDENTITY" in printed


async def test_a_worker_that_asks_nobody_who_he_is_is_told_what_to_do(mesh: Mesh) -> None:
    """TLS alone keeps nobody out."""
    set_mtls(mesh)
    server = mesh.root / "clock" / "server.py"
    server.write_text(server.read_text().replace("require_client_authentication=True", "False"))
    done = mesh.protomesh("up")
    assert done.returncode != 0
    assert "it answers callers that show no certificate" in " ".join((done.stdout + done.stderr).split())


async def test_it_can_not_be_changed_while_the_mesh_runs(mesh: Mesh) -> None:
    """Envoy and workers would not understand each other; what runs goes on."""
    mesh.protomesh("up", check=True)
    set_mtls(mesh)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reload(mesh)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "mtls has changed, and what runs can't follow" in (refused.value.details() or "")
    assert mesh.call("Ask", {"text": "x"})["caller"] == "front"


@contextmanager
def short_lived(mesh: Mesh) -> Iterator[None]:
    """The mesh with certificates that are valid for seconds."""
    with Path(mesh.root / "daemon.log").open("w") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-c", DAEMON, str(mesh.root)], cwd=mesh.root, env=mesh.env, stdout=log, stderr=log
        )
    try:
        eventually(lambda: mesh.protomesh("status", "--json").returncode == 0, "the mesh is there")
        eventually(lambda: mesh.protomesh("call", "Ask", "{}").returncode == 0, "the mesh serves")
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0


def issuer(where: Layout, service: str) -> str:
    """The CA that has signed what a service shows now."""
    return x509.load_pem_x509_certificate(identity(where, service).chain).issuer.rfc4514_string()


async def test_certificates_and_their_cas_change_and_no_call_fails(mesh: Mesh) -> None:
    """From outside and from a service, while workers are replaced; one stream is as long as all of it."""
    set_mtls(mesh)
    with short_lived(mesh):
        where = layout(mesh)
        first = issuer(where, "front")
        seen = {identity(where, "front").chain}
        told = environment(
            "front",
            "unix:/nowhere",
            f"unix:{where.egress_socket('front')}",
            str(where.data("front")),
            log="json",
            tls_identity=where.identity_file("front"),
            tls_authorities=where.authorities_file,
        )
        async with (
            RuntimeMesh(Launch.read(told)) as front,
            under_load(mesh.gateway, unary=2, slow=1, streams=1) as load,
        ):
            whisper: Any = front.client(lambda channel: channel.unary_unary(WHISPER))
            repeat: Any = front.client(lambda channel: channel.unary_stream(REPEAT))
            whole, received = repeat(REPEAT_OFTEN), 0
            calls = 0
            restarting: asyncio.Task[Any] | None = None
            async with asyncio.timeout(90):
                while issuer(where, "front") == first or len(seen) < SECONDS:
                    assert await whisper(SAY)
                    calls += 1
                    assert await whole.read() is not grpc.aio.EOF
                    received += 1
                    seen.add(identity(where, "front").chain)
                    if restarting is None and issuer(where, "front") != first:
                        restarting = asyncio.create_task(asyncio.to_thread(mesh.protomesh, "restart", "front"))
                assert restarting is not None
                assert (await restarting).returncode == 0
            whole.cancel()
            assert calls > 100
            for _ in range(20):  # the workers that were replaced, and the connections of now
                answer = await asyncio.to_thread(mesh.call, "Ask", {"text": "x"})  # the load's calls go on meanwhile
                assert answer["caller"] == "front"
        assert not load.failures
