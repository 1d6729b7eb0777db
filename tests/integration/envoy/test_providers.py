"""Several issuers before one real Envoy: whose users are whose, and what one issuer can't do to another's."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from protomesh.model import KeySource
from protomesh.runtime.user import user_of
from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import Lab, failure, running_lab
from tests.integration.envoy.test_tokens import auth, header
from tests.integration.envoy.tokens import AUDIENCE, ISSUER, Issuer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN, PARTNER, SHOP = Issuer(), Issuer(), Issuer("key-3")  # the keys of the first two have one kid
PARTNER_ISSUER, SHOP_ISSUER = "https://partner.test", "https://shop.test"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    """A mesh with an issuer of its own, and two others; one of them has an audience of its own, and a short life."""
    own = auth(OWN.key_set)
    partner = replace(own, name="partner", issuer=PARTNER_ISSUER, keys=KeySource(file="a"), key_set=PARTNER.key_set)
    shop = replace(partner, name="shop", issuer=SHOP_ISSUER, audience="till", key_set=SHOP.key_set)
    async with running_lab(auth=(partner, own, replace(shop, max_lifetime=timedelta(minutes=10)))) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the edge by HTTP/1.1."""
    async with httpx.AsyncClient(base_url=lab.url, timeout=10) as client:
        yield client


async def statuses(lab: Lab, http: httpx.AsyncClient, token: str) -> tuple[str, int, int]:
    """What a call with a token ends with by gRPC, REST and gRPC-Web."""
    async with lab.channel() as call:
        refused = await failure(call("MyItem", metadata=list(header(token).items())))
    rest = await http.get("/v1/mine", headers=header(token))
    web = await grpc_web.call(http, "MyItem", headers=header(token))
    return refused.code().name, rest.status_code, web.status


USERS: dict[str, tuple[Callable[[], str], str, str]] = {
    "the mesh's own": (OWN.token, "alice", ISSUER),
    "a partner's": (lambda: PARTNER.token(iss=PARTNER_ISSUER), "@partner|alice", PARTNER_ISSUER),
    "with an audience of its own": (
        lambda: SHOP.token(iss=SHOP_ISSUER, aud=["other", "till"]),
        "@shop|alice",
        SHOP_ISSUER,
    ),
    "called as if by another": (
        lambda: PARTNER.token(iss=PARTNER_ISSUER, sub="@shop|alice"),
        "@partner|@shop|alice",
        PARTNER_ISSUER,
    ),
    "called by what a pattern could mean": (
        lambda: PARTNER.token(iss=PARTNER_ISSUER, sub=r"\\0 %REQ(:path)% $1"),
        r"@partner|\\0 %REQ(:path)% $1",
        PARTNER_ISSUER,
    ),
}


@pytest.mark.parametrize("whose", USERS)
async def test_each_user_is_known_by_issuer_and_name(lab: Lab, http: httpx.AsyncClient, whose: str) -> None:
    """By all protocols; and nothing else tells of the user."""
    make, subject, issuer = USERS[whose]
    headers, seen = header(make()), []
    async with lab.channel() as call:
        await call("MyItem", metadata=list(headers.items()))
    seen.append(lab.backend.metadata)
    assert (await http.get("/v1/mine", headers=headers)).status_code == 200
    seen.append(lab.backend.metadata)
    assert (await grpc_web.call(http, "MyItem", headers=headers)).status == 0
    for metadata in [*seen, lab.backend.metadata]:
        user = user_of(metadata)
        assert user is not None
        assert (user.subject, user.issuer, user.scopes) == (subject, issuer, frozenset({"lab.read"}))
        ours = {name for name in metadata if name.startswith("x-protomesh-")}
        assert ours == {"x-protomesh-subject", "x-protomesh-scopes", "x-protomesh-claims"}
        assert "authorization" not in metadata


REFUSED: dict[str, tuple[Callable[[], str], tuple[str, int, int]]] = {
    "the other's key of the same kid": (lambda: OWN.token(iss=PARTNER_ISSUER), ("UNAUTHENTICATED", 401, 16)),
    "the own issuer by a partner's key": (PARTNER.token, ("UNAUTHENTICATED", 401, 16)),
    "a kid of another's key": (
        lambda: PARTNER.token(iss=SHOP_ISSUER, aud="till", kid="key-3"),
        ("UNAUTHENTICATED", 401, 16),
    ),
    "an issuer that nobody knows": (lambda: PARTNER.token(iss="https://evil.test"), ("UNAUTHENTICATED", 401, 16)),
    "no issuer": (lambda: OWN.token(iss=None), ("UNAUTHENTICATED", 401, 16)),
    "another's audience": (lambda: SHOP.token(iss=SHOP_ISSUER, aud=AUDIENCE), ("PERMISSION_DENIED", 403, 7)),
    "the audience of one that is not its own": (lambda: OWN.token(aud="till"), ("PERMISSION_DENIED", 403, 7)),
    "longer than its provider allows": (
        lambda: SHOP.token(iss=SHOP_ISSUER, aud="till", exp=SHOP.claims()["iat"] + 3600),
        ("UNAUTHENTICATED", 401, 16),
    ),
    "a subject that claims to be a partner's": (lambda: OWN.token(sub="@partner|alice"), ("UNAUTHENTICATED", 401, 16)),
    "a subject with a line end": (lambda: OWN.token(sub="alice\nx: y"), ("UNAUTHENTICATED", 401, 16)),
    "a subject that begins with a space": (lambda: OWN.token(sub=" alice"), ("UNAUTHENTICATED", 401, 16)),
    "a partner's subject that ends with one": (
        lambda: PARTNER.token(iss=PARTNER_ISSUER, sub="alice "),
        ("UNAUTHENTICATED", 401, 16),
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
async def test_no_issuer_speaks_for_another(lab: Lab, http: httpx.AsyncClient, wrong: str) -> None:
    """Neither by key, kid, audience or lifetime, nor by what it calls a user."""
    make, expected = REFUSED[wrong]
    before = lab.backend.calls["MyItem"]
    assert await statuses(lab, http, make()) == expected
    assert lab.backend.calls["MyItem"] == before


async def test_users_of_two_issuers_have_limits_of_their_own(lab: Lab) -> None:
    """Of one name, from one address."""
    async with lab.channel() as call:
        for metadata in (OWN.bearer(), PARTNER.bearer(iss=PARTNER_ISSUER)):
            for _ in range(2):
                await call("MyLimitedItem", metadata=metadata)
            refused = await failure(call("MyLimitedItem", metadata=metadata))
            assert refused.code().name == "RESOURCE_EXHAUSTED"


async def test_scopes_are_those_of_the_token_whoever_issued_it(lab: Lab) -> None:
    """A method asks for them by name; whom to give one is each issuer's to decide."""
    async with lab.channel() as call:
        refused = await failure(call("EditItem", metadata=PARTNER.bearer(iss=PARTNER_ISSUER)))
        assert refused.code().name == "PERMISSION_DENIED"
        await call("EditItem", metadata=PARTNER.bearer(iss=PARTNER_ISSUER, scope="lab.read lab.write"))


async def test_who_has_published_nothing_keeps_nobody_else_out() -> None:
    """Closed for its own users only."""
    waiting = auth("", name="partner", issuer=PARTNER_ISSUER)
    async with running_lab(auth=(waiting, auth(OWN.key_set))) as lab, lab.channel() as call:
        await call("MyItem", metadata=OWN.bearer())
        refused = await failure(call("MyItem", metadata=PARTNER.bearer(iss=PARTNER_ISSUER)))
        assert refused.code().name == "UNAUTHENTICATED"
