"""Who may call what, asked of a real Envoy by clients that know nothing of its configuration."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from protomesh.model import KeySource, TokenProvider
from protomesh.runtime.user import User, user_of
from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import Lab, failure, origin, running_lab
from tests.integration.envoy.tokens import AUDIENCE, ISSUER, Issuer, signed_with_a_secret, unsigned

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE = Issuer()
STRANGER = Issuer()  # its key has the same kid


def auth(key_set: str, **changes: Any) -> TokenProvider:
    """What mesh.yaml says, and what the issuer has published."""
    provider = TokenProvider(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=KeySource(service="lab"),
        max_lifetime=timedelta(hours=24),
        key_set=key_set,
        origin=origin(2, "mesh.yaml"),
    )
    return replace(provider, **changes)


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


def header(token: str) -> dict[str, str]:
    """As curl sends it."""
    return {"authorization": f"Bearer {token}"}


async def test_a_valid_token_tells_the_service_who_calls(lab: Lab, http: httpx.AsyncClient) -> None:
    """Subject, scopes and claims arrive by every protocol; the token itself does not."""
    token = ALICE.token(scope="lab.read lab.write", team="blue")
    async with lab.channel() as call:
        assert (await call("MyItem", id="1", metadata=list(header(token).items()))).id == "1"
        seen = [lab.backend.metadata]
    assert (await http.get("/v1/mine?id=2", headers=header(token))).json()["id"] == "2"
    seen.append(lab.backend.metadata)
    assert (await grpc_web.call(http, "MyItem", headers=header(token), id="3")).status == 0
    seen.append(lab.backend.metadata)
    for metadata in seen:
        user = user_of(metadata)
        assert user == User("alice", frozenset({"lab.read", "lab.write"}), user.claims if user else {})
        assert user.claims["team"] == "blue"
        assert "authorization" not in metadata


def bad_tokens() -> dict[str, Callable[[], str]]:
    """Each with what is wrong with it."""
    now = int(time.time())
    public = ALICE.key.as_pem(private=False)
    return {
        "garbage": lambda: "garbage",
        "unsigned": lambda: unsigned(ALICE.claims()),
        "signed with the public key": lambda: signed_with_a_secret(public, ALICE.kid, ALICE.claims()),
        "of another key": STRANGER.token,
        "of an unknown kid": lambda: ALICE.token(kid="key-9"),
        "tampered": lambda: ALICE.token().replace(".e", ".f", 1),
        "expired": lambda: ALICE.token(iat=now - 900, exp=now - 600),
        "without an end": lambda: ALICE.token(exp=None),
        "not valid yet": lambda: ALICE.token(nbf=now + 600),
        "valid for ten years": lambda: ALICE.token(exp=now + 315_360_000),
        "of another issuer": lambda: ALICE.token(iss="https://evil.test"),
    }


@pytest.mark.parametrize("wrong", bad_tokens())
async def test_a_token_that_is_not_valid_is_unauthenticated(lab: Lab, http: httpx.AsyncClient, wrong: str) -> None:
    """By every protocol, and no handler hears of it."""
    token = bad_tokens()[wrong]()
    before = lab.backend.calls["MyItem"]
    async with lab.channel() as call:
        error = await failure(call("MyItem", metadata=list(header(token).items())))
    assert error.code().name == "UNAUTHENTICATED", error.details()
    refused = await http.get("/v1/mine", headers=header(token))
    assert (refused.status_code, refused.json()["code"]) == (401, 16)
    assert (await grpc_web.call(http, "MyItem", headers=header(token))).status == 16
    assert lab.backend.calls["MyItem"] == before


async def test_each_user_has_a_limit_of_their_own(lab: Lab, http: httpx.AsyncClient) -> None:
    """From one address, by all protocols together, with whichever token; tokens that name nobody share one."""
    for subject in ("carol", "dave", None):
        assert (await http.get("/v1/mine/limited", headers=header(ALICE.token(sub=subject)))).status_code == 200
        async with lab.channel() as call:
            await call("MyLimitedItem", metadata=ALICE.bearer(sub=subject, scope="another"))
            refused = await failure(call("MyLimitedItem", metadata=ALICE.bearer(sub=subject)))
        assert refused.code().name == "RESOURCE_EXHAUSTED", subject
        assert (await http.get("/v1/mine/limited", headers=header(ALICE.token(sub=subject)))).status_code == 429
        assert (await grpc_web.call(http, "MyLimitedItem", headers=header(ALICE.token(sub=subject)))).status == 8


async def test_a_token_for_somebody_else_is_refused(lab: Lab, http: httpx.AsyncClient) -> None:
    """It is valid, and not for this mesh: PERMISSION_DENIED."""
    token = ALICE.token(aud="another")
    async with lab.channel() as call:
        assert (await failure(call("MyItem", metadata=ALICE.bearer(aud="another")))).code().name == "PERMISSION_DENIED"
    refused = await http.get("/v1/mine", headers=header(token))
    assert (refused.status_code, refused.json()["code"]) == (403, 7)
    assert (await grpc_web.call(http, "MyItem", headers=header(token))).status == 7


async def test_a_token_counts_only_where_it_belongs(lab: Lab, http: httpx.AsyncClient) -> None:
    """None at all is UNAUTHENTICATED; in the query, where it would be logged, it is an unknown parameter."""
    async with lab.channel() as call:
        assert (await failure(call("MyItem"))).code().name == "UNAUTHENTICATED"
    refused = await http.get("/v1/mine")
    assert (refused.status_code, refused.json()["code"]) == (401, 16)
    assert (await grpc_web.call(http, "MyItem")).status == 16
    query = f"?access_token={ALICE.token()}"
    assert (await http.get(f"/v1/mine{query}")).status_code == 400
    assert (await grpc_web.call(http, f"MyItem{query}")).status == 12  # a method by that name there is not
    async with lab.channel() as call:
        assert (await failure(call(f"MyItem{query}"))).code().name == "UNIMPLEMENTED"


async def test_what_a_client_says_of_itself_is_taken_off(lab: Lab, http: httpx.AsyncClient) -> None:
    """With a token it is overwritten, without one there is nothing in its place."""
    forged = [
        ("x-protomesh-subject", "bob"),
        ("x-protomesh-scopes", "lab.admin"),
        ("x-protomesh-claims", "e30"),
        ("x-protomesh-caller", "orders"),
    ]
    async with lab.channel() as call:
        await call("MyItem", metadata=[*ALICE.bearer(scope=None), *forged])
        user = user_of(lab.backend.metadata)
        assert user is not None
        assert (user.subject, user.scopes, user.claims["iss"]) == ("alice", frozenset(), ISSUER)
        assert "x-protomesh-caller" not in lab.backend.metadata
        await call("GetItem", metadata=forged)
        assert not [name for name in lab.backend.metadata if name.startswith("x-protomesh-")]
    await http.get("/v1/items/1", headers=dict(forged))
    assert not [name for name in lab.backend.metadata if name.startswith("x-protomesh-")]
    await grpc_web.call(http, "GetItem", headers=dict(forged))
    assert not [name for name in lab.backend.metadata if name.startswith("x-protomesh-")]


@pytest.mark.parametrize("scope", [None, "lab.read", "lab.write lab.readx", "lab.read,lab.write"])
async def test_a_method_needs_all_of_its_scopes(lab: Lab, http: httpx.AsyncClient, scope: str | None) -> None:
    """A token that lacks one is PERMISSION_DENIED; who has no token at all is UNAUTHENTICATED."""
    before = lab.backend.calls["EditItem"]
    async with lab.channel() as call:
        error = await failure(call("EditItem", metadata=ALICE.bearer(scope=scope)))
        assert error.code().name == "PERMISSION_DENIED", error.details()
        assert (await failure(call("EditItem"))).code().name == "UNAUTHENTICATED"
    refused = await http.post("/v1/mine:edit", headers=header(ALICE.token(scope=scope)), json={})
    assert (refused.status_code, refused.json()["code"]) == (403, 7)
    assert (await grpc_web.call(http, "EditItem", headers=header(ALICE.token(scope=scope)))).status == 7
    assert lab.backend.calls["EditItem"] == before


async def test_a_token_with_all_scopes_passes(lab: Lab, http: httpx.AsyncClient) -> None:
    """In any order, and with others beside them."""
    token = ALICE.token(scope="other lab.write lab.read")
    async with lab.channel() as call:
        assert (await call("EditItem", id="1", metadata=list(header(token).items()))).id == "1"
    assert (await http.post("/v1/mine:edit", headers=header(token), json={"id": "2"})).json()["id"] == "2"


async def test_no_token_is_valid_before_there_are_keys() -> None:
    """Closed, not open; and nothing else suffers."""
    async with running_lab(auth=(auth(""),)) as lab, lab.channel() as call:
        assert (await failure(call("MyItem", metadata=ALICE.bearer()))).code().name == "UNAUTHENTICATED"
        assert (await call("GetItem", id="7")).id == "7"


async def test_a_users_call_travels_on_through_egress(lab: Lab) -> None:
    """What a service says of its user at its egress reaches the callee; who calls is the mesh's to say."""
    metadata: list[Any] = [*User("alice", frozenset({"a"}), {"team": "blue"}).metadata(), ("x-protomesh-caller", "x")]
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        await call("GetItem", metadata=metadata)
    assert user_of(lab.backend.metadata) == User("alice", frozenset({"a"}), {"team": "blue"})
    assert lab.backend.metadata["x-protomesh-caller"] == "caller"
