"""The shop's identity behind its mesh: what it issues the edge verifies, whatever happens to workers and keys."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from tests.e2e.mesh import Mesh, copy_shop, eventually, mesh_of

MESH = """\
name: shop
gateways: [{listen: "127.0.0.1:${PORT}"}]
auth: {issuer: "https://shop.local", audience: shop, jwks: {service: identity}}
services:
  identity:
    run: services.identity.app:app
    serves: [shop.identity.v1.IdentityService]
    workers: 2
"""
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Identity alone, with keys that change all the time."""
    root = tmp_path_factory.mktemp("identity") / "shop"
    copy_shop(root)
    (root / "mesh.yaml").write_text(MESH)
    with mesh_of(root) as mesh:
        mesh.env |= {"SIGNING_KEY_LIFETIME": "1s", "ADMIN_PASSWORD": PASSWORD}
        mesh.protomesh("up", check=True)
        yield mesh


@pytest.fixture
def edge(mesh: Mesh) -> Iterator[httpx.Client]:
    """As browsers and curl come in."""
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=20) as client:
        yield client


def asked(edge: httpx.Client, verb: str, **request: str) -> Any:
    """What a method of the collection of users answers."""
    response = edge.post(f"/v1/users:{verb}", json=request)
    assert response.status_code == 200, response.text
    return response.json()


def logged_in(edge: httpx.Client, email: str) -> dict[str, str]:
    """The tokens of somebody new."""
    asked(edge, "register", email=email, password=PASSWORD)
    tokens: dict[str, str] = asked(edge, "login", email=email, password=PASSWORD)["tokens"]
    return tokens


def me(edge: httpx.Client, tokens: dict[str, str]) -> httpx.Response:
    """What the edge answers somebody with these tokens."""
    return edge.get("/v1/users/me", headers={"authorization": f"Bearer {tokens['accessToken']}"})


def kid(tokens: dict[str, str]) -> str:
    """The key that an access token was signed with."""
    return str(extract_compact(tokens["accessToken"].encode()).headers()["kid"])


def test_the_key_set_is_one_that_others_read(edge: httpx.Client) -> None:
    """RFC 7517 to the letter; a library that knows nothing of protobuf verifies a token with it."""
    tokens = logged_in(edge, "keys@example.com")
    response = edge.get("/.well-known/jwks.json")
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"keys"}
    for key in response.json()["keys"]:
        assert set(key) == {"kty", "use", "alg", "kid", "crv", "x", "y"}
    token = jwt.decode(tokens["accessToken"], KeySet.import_key_set(response.json()), algorithms=["ES256"])
    assert token.claims["iss"] == "https://shop.local"
    assert token.claims["aud"] == "shop"
    assert token.claims["sub"] == me(edge, tokens).json()["user"]["userId"]


def test_a_session_goes_from_registration_to_logout(edge: httpx.Client) -> None:
    """Every method, by REST."""
    tokens = logged_in(edge, "Story@example.com")
    assert me(edge, tokens).json()["user"]["displayName"] == "story"
    changed = edge.patch(
        "/v1/users/me?update_mask=display_name",
        json={"display_name": "Story T."},
        headers={"authorization": f"Bearer {tokens['accessToken']}"},
    )
    assert changed.json()["user"]["displayName"] == "Story T."
    tokens = asked(edge, "refreshToken", refresh_token=tokens["refreshToken"])["tokens"]
    assert me(edge, tokens).json()["user"]["displayName"] == "Story T."
    asked(edge, "logout", refresh_token=tokens["refreshToken"])
    refused = edge.post("/v1/users:refreshToken", json={"refresh_token": tokens["refreshToken"]})
    assert refused.status_code == 401
    assert refused.json()["details"][0]["reason"] == "REFRESH_TOKEN_INVALID"


def test_without_a_good_token_nobody_is_anybody(edge: httpx.Client) -> None:
    """None at all, one that was changed, a header that only the mesh may set."""
    tokens = logged_in(edge, "nobody@example.com")
    header, claims, signature = tokens["accessToken"].split(".")
    assert edge.get("/v1/users/me").status_code == 401
    assert me(edge, {"accessToken": f"{header}.{claims}.{signature[::-1]}"}).status_code == 401
    assert edge.get("/v1/users/me", headers={"x-protomesh-subject": "somebody"}).status_code == 401


def test_the_administrators_token_has_the_scope(edge: httpx.Client) -> None:
    """With the password from the settings."""
    user = asked(edge, "login", email="admin@shop.local", password=PASSWORD)["user"]
    assert user["scopes"] == ["shop.admin", "shop.customer"]


def test_no_token_is_refused_while_keys_change_and_workers_are_killed(mesh: Mesh, edge: httpx.Client) -> None:
    """One of the workers keeps the keys, and whichever it was, both are killed. A lost answer is asked for again."""
    tokens = logged_in(edge, "changes@example.com")
    workers = [worker["pid"] for worker in mesh.service("identity")["workers"]]
    kids = {kid(tokens)}
    killed_at: list[int] = []
    limit = time.monotonic() + 60
    while len(kids) < 5:
        assert time.monotonic() < limit, kids
        if workers and len(kids) > len(killed_at) + 1:
            psutil.Process(workers.pop()).send_signal(signal.SIGKILL)
            killed_at.append(len(kids))
        response = edge.post("/v1/users:refreshToken", json={"refresh_token": tokens["refreshToken"]})
        assert response.status_code in {200, 503}, response.text
        if response.status_code == 200:
            tokens = response.json()["tokens"]
            kids.add(kid(tokens))
        assert me(edge, tokens).status_code in {200, 503}
        time.sleep(0.4)  # sixty in a minute, says the contract
    assert workers == []
    eventually(lambda: me(edge, tokens).status_code == 200, "the token counts")


def test_a_token_outlives_the_mesh_that_verified_it(mesh: Mesh, edge: httpx.Client) -> None:
    """The next mesh is told the keys before anybody can ask."""
    tokens = logged_in(edge, "outlives@example.com")
    mesh.protomesh("down", check=True)
    mesh.protomesh("up", check=True)
    assert me(edge, tokens).status_code == 200


def test_no_secret_is_in_the_logs(mesh: Mesh, edge: httpx.Client) -> None:
    """Neither what callers send nor what they get."""
    tokens = logged_in(edge, "logs@example.com")
    edge.post("/v1/users:login", json={"email": "logs@example.com", "password": f"{PASSWORD}, but wrong"})
    asked(edge, "refreshToken", refresh_token=tokens["refreshToken"])
    told = "".join(path.read_text() for path in Path(mesh.root, ".protomesh/logs").rglob("*") if path.is_file())
    assert "logs@example.com" not in told
    for secret in (PASSWORD, tokens["refreshToken"], tokens["accessToken"], "PRIVATE KEY"):
        assert secret not in told
    assert json.dumps("session began") in told  # it is the right log
