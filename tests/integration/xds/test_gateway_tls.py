"""TLS at the edge of a real Envoy: who is let in, what is spoken, and certificates that change meanwhile."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from cryptography import x509

from protomesh.contract import compile_project
from protomesh.control.controller import Controller
from protomesh.control.gateway_certificates import GatewayCertificates
from protomesh.model import Layout
from protomesh.proxy import EnvoyProcess, Schemas, find
from protomesh.targets.envoy import bootstrap
from tests.integration.xds.desk import desk
from tests.integration.xds.healthy import wait_healthy
from tests.pki import Files, Pki

PROTO = """\
syntax = "proto3";
package desk.v1;
import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service DeskService {
  option (protomesh.v1.service) = {timeout: "2s", audience: AUDIENCE_PUBLIC};
  rpc Sit(SitRequest) returns (SitResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/seat"};
  }
  rpc Watch(WatchRequest) returns (stream WatchResponse);
}
message SitRequest {}
message SitResponse {}
message WatchRequest { string resume_token = 1; }
message WatchResponse {}
"""
_ALL = "ALL:@SECLEVEL=0"  # suites that OpenSSL knows, also those that it does not offer by itself
SIT = "/desk.v1.DeskService/Sit"


@dataclass
class Edge:
    """A gateway with TLS, and the service behind it."""

    port: int
    pki: Pki
    more: asyncio.Event

    def channel(self, client: Files | None = None) -> grpc.aio.Channel:
        """A channel that trusts the CA, and shows a certificate if it has one."""
        shown = [] if client is None else [client.key.read_bytes(), client.certificate.read_bytes()]
        credentials = grpc.ssl_channel_credentials(self.pki.file.read_bytes(), *shown)
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(f"localhost:{self.port}", credentials, options=options)

    def http(self, *, http2: bool = False, client: Files | None = None) -> httpx.AsyncClient:
        """A client as curl and browsers are."""
        context = ssl.create_default_context(cafile=str(self.pki.file))
        if client is not None:
            context.load_cert_chain(*client.pair)
        return httpx.AsyncClient(base_url=f"https://localhost:{self.port}", verify=context, http2=http2, timeout=10)

    def handshake(self, newest: ssl.TLSVersion, ciphers: str = _ALL) -> str:
        """Connects with a client that knows nothing newer; the version that both agree on."""
        context = ssl.create_default_context(cafile=str(self.pki.file))
        context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = min(newest, ssl.TLSVersion.TLSv1_2), newest
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            return secured.version() or ""

    async def shown(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        certificate = await asyncio.to_thread(ssl.get_server_certificate, ("localhost", self.port))
        return x509.load_pem_x509_certificate(certificate.encode()).serial_number

    async def wait_shown(self, files: Files) -> None:
        """Until new connections are shown this certificate."""
        wanted = x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number
        async with asyncio.timeout(20):
            while await self.shown() != wanted:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def edge(root: Path, schemas: Schemas, clients: str = "") -> AsyncIterator[Edge]:
    """A mesh whose gateway has a certificate, and `clients` of mesh.yaml's `tls:`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pki = Pki(root / "certs")
    pki.issue("edge", names=["localhost"])
    (root / "protos/desk/v1").mkdir(parents=True)
    (root / "protos/desk/v1/desk.proto").write_text(PROTO)
    tls = f"{{cert: certs/edge.pem, key: certs/edge.key{clients}}}"
    (root / "mesh.yaml").write_text(
        f'name: office\ngateways: [{{listen: "127.0.0.1:{port}", tls: {tls}}}]\n'
        "services: {desk: {run: desk.app:app, serves: [desk.v1.DeskService]}}\n"
    )
    topology = compile_project(root, variables={}).topology
    layout = Layout(run=PurePosixPath(root), state=PurePosixPath(root) / ".protomesh")
    controller, more = Controller(find(), schemas, layout), asyncio.Event()
    certificates = GatewayCertificates(root, layout)
    await controller.start()
    await controller.set_secrets(certificates.load(topology.gateways))
    await controller.apply(topology)
    envoy = await EnvoyProcess.start(find(), bootstrap(topology, layout, {}), layout, concurrency=1)
    following = asyncio.create_task(certificates.follow(controller.set_secrets))
    try:
        await envoy.wait_live()
        async with desk(f"{root}/desk.sock", more) as endpoint:
            await controller.set_endpoints("desk", [endpoint])
            await wait_healthy(envoy, "desk", 1)
            await controller.wait_acknowledged()
            yield Edge(port, pki, more)
    finally:
        following.cancel()
        await envoy.stop()
        await controller.stop()


async def sit(channel: grpc.aio.Channel) -> str:
    """The status of one call."""
    call: Any = channel.unary_unary(SIT)
    try:
        await call(b"", timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_all_protocols_answer_over_tls(run_directory: Path, schemas: Schemas) -> None:
    """GRPC by HTTP/2, REST by either; browsers are told to come back by TLS only."""
    async with edge(run_directory, schemas) as office:
        async with office.channel() as channel:
            assert await sit(channel) == "OK"
        for http2, version in ((False, "HTTP/1.1"), (True, "HTTP/2")):
            async with office.http(http2=http2) as client:
                for path, status in (("/v1/seat", 200), ("/healthz", 200), ("/nowhere", 404)):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.http_version) == (status, version)
                    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_plain_text_and_old_versions_are_turned_away(run_directory: Path, schemas: Schemas) -> None:
    """And suites without forward secrecy; whoever speaks TLS 1.2 or 1.3 comes in afterwards."""
    async with edge(run_directory, schemas) as office:
        async with httpx.AsyncClient() as plain:
            with pytest.raises(httpx.RemoteProtocolError):
                await plain.get(f"http://localhost:{office.port}/healthz")
        async with grpc.aio.insecure_channel(f"localhost:{office.port}") as channel:
            assert await sit(channel) == "UNAVAILABLE"

        def refused(newest: ssl.TLSVersion, ciphers: str = _ALL) -> str:
            with pytest.raises(ssl.SSLError) as error:
                office.handshake(newest, ciphers)
            return error.value.reason

        old, older = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1
        assert await asyncio.to_thread(refused, older) == "TLSV1_ALERT_PROTOCOL_VERSION"
        without_secrecy = "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256"
        assert await asyncio.to_thread(refused, old, without_secrecy) == "SSLV3_ALERT_HANDSHAKE_FAILURE"
        assert await asyncio.to_thread(office.handshake, old) == "TLSv1.2"
        assert await asyncio.to_thread(office.handshake, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


@pytest.mark.parametrize(("required", "without"), [("true", "UNAVAILABLE"), ("false", "OK")])
async def test_clients_may_or_have_to_show_a_certificate(
    run_directory: Path, schemas: Schemas, required: str, without: str
) -> None:
    """One that the named CA has signed; one of another CA is refused in either case."""
    ca = f", clients: {{ca: certs/partners-ca.pem, required: {required}}}"
    partners, strangers = Pki(run_directory / "certs", "partners"), Pki(run_directory / "certs", "strangers")
    async with edge(run_directory, schemas, ca) as office:
        async with office.channel(partners.issue("acme")) as channel:
            assert await sit(channel) == "OK"
        async with office.channel(strangers.issue("mallory")) as channel:
            assert await sit(channel) == "UNAVAILABLE"
        async with office.channel() as channel:
            assert await sit(channel) == without


async def test_a_certificate_is_replaced_under_load(run_directory: Path, schemas: Schemas) -> None:
    """No call fails, on old connections and on new ones, and a stream that is open stays so."""
    async with edge(run_directory, schemas) as office, office.channel() as channel:
        start: Any = channel.unary_stream("/desk.v1.DeskService/Watch")
        stream = start(b"")
        assert await stream.read() == b""
        done, statuses = asyncio.Event(), []

        async def caller(*, reconnects: bool) -> None:
            while not done.is_set():
                if not reconnects:
                    statuses.append(await sit(channel))
                else:
                    async with office.channel() as fresh:
                        statuses.append(await sit(fresh))

        callers = [asyncio.create_task(caller(reconnects=reconnects)) for reconnects in (False, True, True)]
        for _ in range(3):
            await office.wait_shown(office.pki.issue("edge", names=["localhost"]))
        done.set()
        await asyncio.gather(*callers)
        assert set(statuses) == {"OK"}
        assert len(statuses) > 50
        office.more.set()
        assert await stream.read() == b""
        assert await stream.code() is grpc.StatusCode.OK


async def test_a_certificate_that_can_not_be_used_changes_nothing(
    run_directory: Path, schemas: Schemas, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway goes on with the one it has, and takes the next good one."""
    async with edge(run_directory, schemas) as office, office.channel() as channel:
        before = await office.shown()
        (run_directory / "certs/edge.pem").write_text("rubbish")
        async with asyncio.timeout(20):
            while "a new certificate can't be used" not in caplog.text:
                assert await sit(channel) == "OK"
        assert await office.shown() == before
        await office.wait_shown(office.pki.issue("edge", names=["localhost"]))
        assert await sit(channel) == "OK"
