"""Whose certificate lets a caller in, at a real Envoy: what `clients` of an override says, on every protocol."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from protomesh.proxy import Schemas
from tests.integration.xds.edge import SIT, Edge, edge, sit
from tests.pki import Files, Pki

CA = ", clients: {ca: certs/partners-ca.pem}"
BILLING, ARCHIVE = "spiffe://partner.test/billing", "archive.partner.test"
OVERRIDES = f'{{desk.v1.DeskService/Sit: {{clients: ["{BILLING}", {ARCHIVE}]}}}}'


async def statuses(office: Edge, shown: Files | None) -> tuple[str, int, int]:
    """Of one call by gRPC, by REST over HTTP/1.1 and over HTTP/2."""
    async with office.channel(shown) as channel:
        by_grpc = await sit(channel)
    rest = []
    for http2 in (False, True):
        async with office.http(http2=http2, client=shown) as client:
            rest.append((await client.get("/v1/seat")).status_code)
    return by_grpc, rest[0], rest[1]


@pytest.fixture
def partners(run_directory: Path) -> Pki:
    """The CA that the gateway knows."""
    return Pki(run_directory / "certs", "partners")


async def test_only_the_named_clients_may_call(run_directory: Path, schemas: Schemas, partners: Pki) -> None:
    """By a URI or by a DNS name of their certificate; afterwards those who may still do."""
    billing = partners.issue("billing", uris=[BILLING])
    several = partners.issue("several", uris=["spiffe://partner.test/other", BILLING])
    both = partners.issue("both", uris=["spiffe://partner.test/other"], names=[ARCHIVE])
    archive = partners.issue("archive", names=["other.partner.test", ARCHIVE])
    refused: list[Files | None] = [
        None,
        partners.issue("stranger", uris=["spiffe://partner.test/stranger"]),
        partners.issue("longer", uris=[f"{BILLING}/2"]),
        partners.issue("shorter", names=["partner.test"]),
        partners.issue(ARCHIVE),  # a common name is no name: any CA would write what it is asked to
    ]
    async with edge(run_directory, schemas, CA, OVERRIDES) as office:
        for shown in (billing, several, both, archive):
            assert await statuses(office, shown) == ("OK", 200, 200)
        for other in refused:
            assert await statuses(office, other) == ("PERMISSION_DENIED", 403, 403)
        assert await statuses(office, billing) == ("OK", 200, 200)


async def test_a_header_is_no_certificate(run_directory: Path, schemas: Schemas, partners: Pki) -> None:
    """What a caller says of its certificate itself changes nothing."""
    stranger = partners.issue("stranger", uris=["spiffe://partner.test/stranger"])
    forged = f'By={BILLING};Hash=0;Subject="";URI={BILLING}'
    async with edge(run_directory, schemas, CA, OVERRIDES) as office:
        async with office.http(client=stranger) as client:
            answer = await client.get("/v1/seat", headers={"x-forwarded-client-cert": forged})
        assert answer.status_code == 403
        assert answer.json()["code"] == 7
        async with office.channel(stranger) as channel:
            call: Any = channel.unary_unary(SIT)
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await call(b"", metadata=(("x-forwarded-client-cert", forged),), timeout=10)
            assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
