"""Who calls: from the password to what a handler hears, through the edge."""

import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import grpc
import httpx
import pytest

from protomesh.runtime.errors import reason_of
from shop.identity.v1 import (
    GetMeRequest,
    IdentityServiceStub,
    LoginRequest,
    RefreshTokenRequest,
    RefreshTokenResponse,
    RefreshTokenReused,
    RegisterRequest,
    UpdateMeRequest,
    User,
)
from shop.payments.v1 import GetPaymentRequest, PaymentsServiceStub
from tests.e2e import reach, ways
from tests.e2e.mesh import Mesh

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Customer:
    """Somebody who has logged in."""

    email: str
    user_id: str
    access_token: str
    refresh_token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with a call."""
        return (("authorization", f"Bearer {self.access_token}"),)


@pytest.fixture
def identity(edge: grpc.aio.Channel) -> IdentityServiceStub:
    """As the edge shows it."""
    return IdentityServiceStub(edge)


async def customer(identity: IdentityServiceStub) -> Customer:
    """Registers somebody new, and logs in."""
    email = f"{uuid.uuid4().hex}@example.com"
    await identity.Register(RegisterRequest(email=email, password=PASSWORD))
    answer = await identity.Login(LoginRequest(email=email, password=PASSWORD))
    return Customer(email, answer.user.user_id, answer.tokens.access_token, answer.tokens.refresh_token)


@pytest.fixture
async def alice(identity: IdentityServiceStub) -> Customer:
    """A customer of her own."""
    return await customer(identity)


@pytest.fixture
async def rest(shop: Mesh) -> AsyncGenerator[httpx.AsyncClient]:
    """As curl calls."""
    async with reach.http(shop) as client:
        yield client


async def test_whoever_logs_in_is_who_the_services_see(
    identity: IdentityServiceStub, rest: httpx.AsyncClient, alice: Customer
) -> None:
    """By gRPC and by REST; and without a token nobody is anybody."""
    me = await identity.GetMe(GetMeRequest(), metadata=alice.metadata)
    assert (me.user.user_id, me.user.email, list(me.user.scopes)) == (alice.user_id, alice.email, ["shop.customer"])
    answer = await rest.get("/v1/users/me", headers=dict(alice.metadata))
    assert (answer.status_code, answer.json()["user"]["userId"]) == (200, alice.user_id)

    renamed = await identity.UpdateMe(UpdateMeRequest(user=User(display_name="Alice")), metadata=alice.metadata)
    assert renamed.user.display_name == "Alice"

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.GetMe(GetMeRequest(), metadata=(("x-protomesh-subject", alice.user_id),))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    nobody = await rest.get("/v1/users/me")
    assert (nobody.status_code, nobody.json()["code"]) == (401, 16)


async def test_a_session_goes_on_with_its_refresh_token(
    identity: IdentityServiceStub, rest: httpx.AsyncClient, alice: Customer
) -> None:
    """And the new access token is as good as the first."""
    answer = await identity.RefreshToken(RefreshTokenRequest(refresh_token=alice.refresh_token))
    headers = {"authorization": f"Bearer {answer.tokens.access_token}"}
    assert (await rest.get("/v1/users/me", headers=headers)).json()["user"]["userId"] == alice.user_id


async def test_a_refresh_token_that_was_stolen_ends_the_session(
    shop: Mesh, identity: IdentityServiceStub, alice: Customer
) -> None:
    """It was used, and so was the one after it: whoever comes with it, nobody goes on with the session."""

    def refresh(token: str) -> ways.Call:
        method, body = "shop.identity.v1.IdentityService/RefreshToken", {"refresh_token": token}
        request = RefreshTokenRequest(refresh_token=token)
        return ways.Call(method, request, RefreshTokenResponse, "POST", "/v1/users:refreshToken", body)

    for way in (ways.by_grpc, *list(ways.GRPC_WEB.values())[:1], *list(ways.REST.values())[:1]):
        login = await identity.Login(LoginRequest(email=alice.email, password=PASSWORD))
        first = login.tokens.refresh_token
        second = (await ways.unary(way, shop, refresh(first))).tokens.refresh_token
        third = (await ways.unary(way, shop, refresh(second))).tokens.refresh_token
        refused = await ways.failure(way, shop, refresh(first))
        assert refused.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
        assert refused.info.reason == reason_of(RefreshTokenReused.__name__)
        refused = await ways.failure(way, shop, refresh(third))
        assert refused.status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]


async def test_what_went_wrong_is_declared(rest: httpx.AsyncClient, alice: Customer) -> None:
    """A caller by REST reads the reason."""
    reasons = []
    for method, body in (
        ("register", {"email": alice.email, "password": PASSWORD}),
        ("login", {"email": alice.email, "password": "wrong horse battery"}),
    ):
        refused = await rest.post(f"/v1/users:{method}", json=body)
        reasons += [detail["reason"] for detail in refused.json()["details"] if "reason" in detail]
    assert reasons == ["EMAIL_TAKEN", "INVALID_CREDENTIALS"]


async def test_a_session_outlives_the_workers_that_opened_it(
    shop: Mesh, rest: httpx.AsyncClient, alice: Customer
) -> None:
    """A restart of identity publishes its keys again, and refuses nobody."""
    shop.protomesh("restart", "identity", check=True)
    answer = await rest.get("/v1/users/me", headers=dict(alice.metadata))
    assert (answer.status_code, answer.json()["user"]["userId"]) == (200, alice.user_id)
    login = await rest.post("/v1/users:login", json={"email": alice.email, "password": PASSWORD})
    headers = {"authorization": f"Bearer {login.json()['tokens']['accessToken']}"}
    assert (await rest.get("/v1/users/me", headers=headers)).status_code == 200


async def test_another_customers_payment_is_not_there(edge: grpc.aio.Channel, alice: Customer) -> None:
    """NOT_FOUND, as for one that nobody has made."""
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await PaymentsServiceStub(edge).GetPayment(
            GetPaymentRequest(payment_id=str(uuid.uuid4())), metadata=alice.metadata
        )
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
