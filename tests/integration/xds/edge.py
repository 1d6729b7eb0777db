"""A gateway with TLS before a service of two methods, by a real controller and a real Envoy."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
from cryptography import x509

from protomesh.contract import compile_project
from protomesh.control.gateway_certificates import GatewayCertificates
from protomesh.proxy import Schemas
from tests.integration.envoy.lab import free_port
from tests.integration.xds.desk import desk
from tests.integration.xds.healthy import wait_healthy
from tests.integration.xds.plane import plane
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
ALL = "ALL:@SECLEVEL=0"  # suites that OpenSSL knows, also those that it does not offer by itself
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

    def handshake(self, newest: ssl.TLSVersion, ciphers: str = ALL) -> str:
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
async def edge(root: Path, schemas: Schemas, clients: str = "", overrides: str = "{}") -> AsyncIterator[Edge]:
    """A mesh whose gateway has a certificate; `clients` goes on in its `tls:`, `overrides` is that of mesh.yaml."""
    port = free_port()
    pki = Pki(root / "certs")
    pki.issue("edge", names=["localhost"])
    (root / "protos/desk/v1").mkdir(parents=True)
    (root / "protos/desk/v1/desk.proto").write_text(PROTO)
    tls = f"{{cert: certs/edge.pem, key: certs/edge.key{clients}}}"
    (root / "mesh.yaml").write_text(
        f'name: office\ngateways: [{{listen: "127.0.0.1:{port}", tls: {tls}}}]\n'
        "services: {desk: {run: desk.app:app, serves: [desk.v1.DeskService]}}\n"
        f"overrides: {overrides}\n"
    )
    topology = compile_project(root, variables={}).topology
    more = asyncio.Event()
    async with plane(root, schemas) as control:
        certificates = GatewayCertificates(root, control.layout)
        await control.controller.set_secrets(certificates.load(topology.gateways))
        await control.controller.apply(topology)
        async with control.envoy(topology) as envoy, desk(f"{root}/desk.sock", more) as endpoint:
            following = asyncio.create_task(certificates.follow(control.controller.set_secrets))
            try:
                await control.controller.set_endpoints("desk", [endpoint])
                await wait_healthy(envoy, "desk", 1)
                await control.controller.wait_acknowledged()
                yield Edge(port, pki, more)
            finally:
                following.cancel()


async def sit(channel: grpc.aio.Channel) -> str:
    """The status of one call."""
    call: Any = channel.unary_unary(SIT)
    try:
        await call(b"", timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"
