"""What an attacker says instead of a token, a path or a header, and the status that it gets on each protocol.

Tokens that are wrong in themselves are in test_tokens.py, hostile connections in test_hostile_clients.py.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import SERVICE, Lab, failure, running_lab
from tests.integration.envoy.test_tokens import auth
from tests.integration.envoy.tokens import Issuer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, MALLORY = Issuer(), Issuer("key-of-mallory")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    """A mesh whose issuer has published its key."""
    async with running_lab(auth=(auth(ALICE.key_set),)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the edge by HTTP/1.1."""
    async with httpx.AsyncClient(base_url=lab.url, timeout=10) as client:
        yield client


def forged(**header: Any) -> str:
    """A token of Mallory's, in whose header something should lead the verifier to her key."""
    return jwt.encode({"alg": "ES256", "kid": ALICE.kid, **header}, ALICE.claims(), MALLORY.key)


FORGED: Mapping[str, Mapping[str, Any]] = {
    "a URL of keys": {"jku": "https://mallory.test/keys.json"},
    "a URL of certificates": {"x5u": "https://mallory.test/cert.pem"},
    "the key itself": {"jwk": MALLORY.key.as_dict(private=False)},
    "a kid that is a path": {"kid": "../../../../dev/null"},
    "a kid that is a query": {"kid": "x' UNION SELECT 'key"},
    "no kid": {"kid": ""},
}


@pytest.mark.parametrize("lure", FORGED)
async def test_a_token_can_not_say_what_it_is_verified_with(lab: Lab, http: httpx.AsyncClient, lure: str) -> None:
    """Only the issuer's own keys do, whatever a header claims."""
    headers = {"authorization": f"Bearer {forged(**FORGED[lure])}"}
    before = lab.backend.calls["MyItem"]
    async with lab.channel() as call:
        refused = await failure(call("MyItem", metadata=list(headers.items())))
    assert refused.code().name == "UNAUTHENTICATED"
    assert (await http.get("/v1/mine", headers=headers)).status_code == 401
    assert (await grpc_web.call(http, "MyItem", headers=headers)).status == 16
    assert lab.backend.calls["MyItem"] == before


@pytest.mark.parametrize("order", [1, -1])
async def test_two_tokens_are_none(lab: Lab, http: httpx.AsyncClient, order: int) -> None:
    """Whoever stands before or behind Envoy might look at the other one."""
    tokens = [ALICE.token(), forged()][::order]
    headers = [("authorization", f"Bearer {token}") for token in tokens]
    before = lab.backend.calls["MyItem"]
    assert (await http.get("/v1/mine", headers=headers)).status_code == 401
    async with lab.channel() as call:
        assert (await failure(call("MyItem", metadata=headers))).code().name == "UNAUTHENTICATED"
    assert lab.backend.calls["MyItem"] == before


async def test_headers_have_an_end(lab: Lab, http: httpx.AsyncClient) -> None:
    """A token of 64 KiB, or 200 headers: 431, over HTTP/2 the end of connection or stream. No service hears of it."""
    before = lab.backend.calls["MyItem"]
    for headers, code in (
        ({"authorization": f"Bearer {'x' * 65536}"}, "UNAVAILABLE"),
        ({f"x-header-{number}": "1" for number in range(200)}, "INTERNAL"),
    ):
        assert (await http.get("/v1/mine", headers=headers)).status_code == 431
        web = {"content-type": "application/grpc-web+proto", **headers}
        assert (await http.post(f"/{SERVICE}/MyItem", content=b"\0\0\0\0\0", headers=web)).status_code == 431
        async with lab.channel() as call:
            assert (await failure(call("MyItem", metadata=list(headers.items())))).code().name == code
    assert lab.backend.calls["MyItem"] == before


PATHS = (
    f"//{SERVICE}/AdminItem",
    f"/{SERVICE}//AdminItem",
    f"/{SERVICE}/../{SERVICE}/AdminItem",
    f"/{SERVICE}/./AdminItem",
    f"/{SERVICE}%2fAdminItem",
    f"/{SERVICE}%2FAdminItem",
    f"/{SERVICE}%5cAdminItem",
    f"/{SERVICE}/adminitem",
    f"/{SERVICE.upper()}/AdminItem",
    f"/{SERVICE}/AdminItem%00",
    f"/{SERVICE}/AdminItem/",
    f"/{SERVICE}/AdminItem;x=1",
    f"/{SERVICE}/AdminItem?x=1",
    f"/v1/../{SERVICE}/AdminItem",
    f"/{SERVICE}/GetItem/../AdminItem",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc-web", "application/json"])
async def test_no_spelling_of_a_path_reaches_an_internal_method(
    lab: Lab, http: httpx.AsyncClient, path: str, content_type: str
) -> None:
    """It is as unknown as it is by its own name, or no path at all."""
    before = lab.backend.calls["AdminItem"]
    url = httpx.URL(lab.url, raw_path=path.encode())
    answer = await http.post(url, content=b"\0\0\0\0\0", headers={"content-type": content_type, "te": "trailers"})
    refused = answer.headers.get("grpc-status") in {"12", "13"}  # UNIMPLEMENTED; INTERNAL is what gRPC makes of a 400
    assert refused or answer.status_code in {400, 404, 415}, answer
    assert lab.backend.calls["AdminItem"] == before


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_a_header_does_not_change_the_verb(lab: Lab, http: httpx.AsyncClient, header: str) -> None:
    """What is a GET to whoever filters by it is one to the service."""
    before = lab.backend.calls["SmallItem"]
    assert (await http.get("/v1/small", headers={header: "POST"})).status_code in {404, 405}
    assert lab.backend.calls["SmallItem"] == before


@pytest.mark.parametrize("header", ["x-original-url", "x-rewrite-url", "x-envoy-original-path", "x-forwarded-prefix"])
async def test_a_header_does_not_change_the_path(lab: Lab, http: httpx.AsyncClient, header: str) -> None:
    """The path is the path."""
    before = lab.backend.calls["AdminItem"]
    answer = await http.get("/v1/items/7", headers={header: f"/{SERVICE}/AdminItem"})
    assert (answer.status_code, answer.json()["id"]) == (200, "7")
    assert lab.backend.calls["AdminItem"] == before


async def test_afterwards_the_mesh_serves_as_before(lab: Lab, http: httpx.AsyncClient) -> None:
    """A good token on each protocol."""
    headers = {"authorization": f"Bearer {ALICE.token()}"}
    async with lab.channel() as call:
        assert (await call("MyItem", id="1", metadata=list(headers.items()))).id == "1"
    assert (await http.get("/v1/mine?id=2", headers=headers)).json()["id"] == "2"
    assert (await grpc_web.call(http, "MyItem", headers=headers, id="3")).status == 0
