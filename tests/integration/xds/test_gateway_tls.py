"""TLS at the edge of a real Envoy: who is let in, what is spoken, and certificates that change meanwhile."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest

from protomesh.proxy import Schemas
from tests.integration.xds.edge import ALL, edge, sit
from tests.pki import Pki


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

        def refused(newest: ssl.TLSVersion, ciphers: str = ALL) -> str:
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
