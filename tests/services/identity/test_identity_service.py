import asyncio
import json
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict
from grpc.aio import AioRpcError
from joserfc.errors import ExpiredTokenError
from sqlalchemy import text

from protomesh.runtime.store import Database
from services.identity.service import Identity
from shop.identity.v1 import (
    EmailTaken,
    EtagMismatch,
    GetJsonWebKeySetRequest,
    GetMeRequest,
    IdentityServiceStub,
    InvalidCredentials,
    LoginRequest,
    LogoutRequest,
    RefreshTokenInvalid,
    RefreshTokenRequest,
    RefreshTokenReused,
    RegisterRequest,
    Tokens,
    UpdateMeRequest,
    User,
    UserNotFound,
)
from tests.services.clock import Clock
from tests.services.identity.stand_ins import Envoys

Fields = Callable[[AioRpcError], list[str]]
As = Callable[[str], AbstractAsyncContextManager[IdentityServiceStub]]

EMAIL = "alice@example.com"
PASSWORD = "correct horse battery staple"


async def register(identity: IdentityServiceStub, email: str = EMAIL) -> User:
    """Registers somebody."""
    return (await identity.Register(RegisterRequest(email=email, password=PASSWORD))).user


async def login(identity: IdentityServiceStub) -> Tokens:
    """Begins a session of somebody who is registered."""
    return (await identity.Login(LoginRequest(email=EMAIL, password=PASSWORD))).tokens


async def refresh(identity: IdentityServiceStub, tokens: Tokens) -> Tokens:
    """The tokens after these."""
    return (await identity.RefreshToken(RefreshTokenRequest(refresh_token=tokens.refresh_token))).tokens


class TestRegistering:
    """Register."""

    async def test_who_registers_is_a_customer(self, identity: IdentityServiceStub, clock: Clock) -> None:
        """Whatever the contract may offer one day, nobody makes an administrator of oneself."""
        user = await register(identity)
        assert user.email == EMAIL
        assert user.display_name == "alice"
        assert list(user.scopes) == ["shop.customer"]
        assert user.create_time.ToDatetime(clock().tzinfo) == clock()

    async def test_a_long_address_makes_a_short_name(self, identity: IdentityServiceStub) -> None:
        """No longer than the contract lets a name be."""
        assert (await register(identity, f"{'a' * 200}@example.com")).display_name == "a" * 80

    @pytest.mark.parametrize("email", [EMAIL, "Alice@Example.com"])
    async def test_an_e_mail_address_has_one_user(self, identity: IdentityServiceStub, email: str) -> None:
        """However it is written."""
        await register(identity)
        with pytest.raises(EmailTaken) as taken:
            await register(identity, email)
        assert taken.value.email == EMAIL

    async def test_of_two_at_once_one_is_registered(self, identity: IdentityServiceStub) -> None:
        """The other is told."""
        answers = await asyncio.gather(*(register(identity) for _ in range(2)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["EmailTaken", "User"]

    @pytest.mark.parametrize(
        ("request_", "field"),
        [
            (RegisterRequest(email="alice", password=PASSWORD), "email"),
            (RegisterRequest(email="", password=PASSWORD), "email"),
            (RegisterRequest(email=f"{'a' * 250}@b.cc", password=PASSWORD), "email"),
            (RegisterRequest(email=EMAIL, password="ninechars"), "password"),
            (RegisterRequest(email=EMAIL, password="x" * 129), "password"),
            (RegisterRequest(email=EMAIL, password=PASSWORD, display_name="a\nb"), "display_name"),
            (RegisterRequest(email=EMAIL, password=PASSWORD, display_name=" "), "display_name"),
            (RegisterRequest(email=EMAIL, password=PASSWORD, display_name="x" * 81), "display_name"),
        ],
    )
    async def test_a_request_that_breaks_a_rule_names_the_field(
        self, identity: IdentityServiceStub, fields: Fields, request_: RegisterRequest, field: str
    ) -> None:
        """And never repeats the password."""
        with pytest.raises(AioRpcError) as refused:
            await identity.Register(request_)
        assert set(fields(refused.value)) == {field}
        assert request_.password not in str(refused.value)

    async def test_no_password_is_kept(self, identity: IdentityServiceStub, db: Database) -> None:
        """Only its hash, by Argon2id."""
        await register(identity)
        async with db.read() as tx:
            [kept] = (await tx.execute(text("SELECT * FROM users"))).all()
        assert PASSWORD not in str(kept)
        assert kept.password_hash.startswith("$argon2id$")


class TestLoggingIn:
    """Login."""

    @pytest.mark.parametrize("email", [EMAIL, "ALICE@example.com"])
    async def test_the_mesh_lets_the_token_through(
        self, identity: IdentityServiceStub, envoys: Envoys, clock: Clock, email: str
    ) -> None:
        """With every claim that it verifies or that services rely on."""
        user = await register(identity)
        answer = await identity.Login(LoginRequest(email=email, password=PASSWORD))
        claims = envoys.verify(answer.tokens.access_token)
        now = int(clock().timestamp())
        assert claims.pop("jti")
        assert claims == {
            "iss": "https://shop.local",
            "aud": "shop",
            "sub": user.user_id,
            "scope": "shop.customer",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        }
        assert answer.user == user
        assert answer.tokens.access_expire_time.seconds == now + 300

    async def test_two_tokens_are_never_one(self, identity: IdentityServiceStub, envoys: Envoys) -> None:
        """Not even of one moment."""
        await register(identity)
        first, second = await login(identity), await login(identity)
        ids = {envoys.verify(tokens.access_token)["jti"] for tokens in (first, second)}
        assert len(ids) == 2
        assert first.refresh_token != second.refresh_token

    async def test_a_token_runs_out(self, identity: IdentityServiceStub, envoys: Envoys, clock: Clock) -> None:
        """When the answer said."""
        await register(identity)
        tokens = await login(identity)
        clock.advance(timedelta(minutes=5, seconds=1))
        with pytest.raises(ExpiredTokenError):
            envoys.verify(tokens.access_token)

    async def test_a_wrong_password_and_an_unknown_address_are_told_alike(self, identity: IdentityServiceStub) -> None:
        """Nobody learns who is registered."""
        await register(identity)
        told: list[Any] = []
        for email, password in ((EMAIL, "wrong horse battery"), ("nobody@example.com", PASSWORD)):
            with pytest.raises(InvalidCredentials) as refused:
                await identity.Login(LoginRequest(email=email, password=password))
            told.append((refused.value.code(), refused.value.details()))
        assert told[0] == told[1]
        assert told[0][0] is grpc.StatusCode.UNAUTHENTICATED

    @pytest.mark.parametrize("email", ["", "alice", "alice@example.com\0", "alice@", "x" * 255])
    async def test_what_can_not_be_an_address_names_its_field(
        self, identity: IdentityServiceStub, fields: Fields, email: str
    ) -> None:
        """Before the database sees it."""
        with pytest.raises(AioRpcError) as refused:
            await identity.Login(LoginRequest(email=email, password=PASSWORD))
        assert set(fields(refused.value)) == {"email"}

    async def test_a_login_before_there_is_a_key_is_told_to_try_again(
        self, identity: IdentityServiceStub, db: Database
    ) -> None:
        """UNAVAILABLE: the mesh is starting."""
        await register(identity)
        async with db.begin() as tx:
            await tx.execute(text("DELETE FROM signing_keys"))
        with pytest.raises(AioRpcError) as refused:
            await login(identity)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


class TestRefreshing:
    """RefreshToken: each token counts once, and whoever copies one ends the session."""

    async def test_the_next_tokens_count(self, identity: IdentityServiceStub, envoys: Envoys, clock: Clock) -> None:
        """After the first access token has run out, and on and on."""
        user = await register(identity)
        tokens = await login(identity)
        for _ in range(3):
            clock.advance(timedelta(days=29))
            tokens = await refresh(identity, tokens)
            assert envoys.verify(tokens.access_token)["sub"] == user.user_id

    async def test_a_token_that_waited_too_long_does_not_count(
        self, identity: IdentityServiceStub, clock: Clock
    ) -> None:
        """Thirty days."""
        await register(identity)
        tokens = await login(identity)
        clock.advance(timedelta(days=30))
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, tokens)

    async def test_a_token_that_nobody_gave_does_not_count(self, identity: IdentityServiceStub) -> None:
        """It ends no session either."""
        await register(identity)
        tokens = await login(identity)
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, Tokens(refresh_token="x" * 43))
        assert (await refresh(identity, tokens)).access_token

    async def test_a_token_that_comes_again_later_ends_the_session(
        self, identity: IdentityServiceStub, clock: Clock
    ) -> None:
        """The thief has the old token, the owner the new one: neither counts any more."""
        await register(identity)
        stolen = await login(identity)
        owned = await refresh(identity, stolen)
        clock.advance(timedelta(seconds=10))
        with pytest.raises(RefreshTokenReused):
            await refresh(identity, stolen)
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, owned)

    async def test_a_token_that_comes_again_after_its_answer_was_used_ends_the_session(
        self, identity: IdentityServiceStub
    ) -> None:
        """However soon."""
        await register(identity)
        first = await login(identity)
        third = await refresh(identity, await refresh(identity, first))
        with pytest.raises(RefreshTokenReused):
            await refresh(identity, first)
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, third)

    async def test_another_session_of_the_user_goes_on(self, identity: IdentityServiceStub, clock: Clock) -> None:
        """It has other tokens."""
        await register(identity)
        one, two = await login(identity), await login(identity)
        await refresh(identity, one)
        clock.advance(timedelta(seconds=10))
        with pytest.raises(RefreshTokenReused):
            await refresh(identity, one)
        assert (await refresh(identity, two)).access_token

    async def test_a_lost_answer_can_be_asked_for_again(self, identity: IdentityServiceStub, clock: Clock) -> None:
        """The token that was lost is replaced, and the session goes on with the one that arrived."""
        await register(identity)
        tokens = await login(identity)
        await refresh(identity, tokens)  # lost on the way
        clock.advance(timedelta(seconds=9))
        arrived = await refresh(identity, tokens)
        clock.advance(timedelta(days=1))
        assert (await refresh(identity, arrived)).access_token

    async def test_a_thief_who_is_as_quick_as_a_lost_answer_is_found_out(self, identity: IdentityServiceStub) -> None:
        """The owner comes with the token that was replaced, and the thief's does not count either."""
        await register(identity)
        tokens = await login(identity)
        owned = await refresh(identity, tokens)
        stolen = await refresh(identity, tokens)
        with pytest.raises(RefreshTokenReused):
            await refresh(identity, owned)
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, stolen)

    async def test_of_many_at_once_one_token_counts(self, identity: IdentityServiceStub) -> None:
        """They are answered one after the other, and each answer replaces the one before."""
        await register(identity)
        tokens = await login(identity)
        answers = await asyncio.gather(*(refresh(identity, tokens) for _ in range(5)))
        assert len({answer.refresh_token for answer in answers}) == 5
        counted = 0
        for answer in answers:
            try:
                await refresh(identity, answer)
            except (RefreshTokenInvalid, RefreshTokenReused):
                continue
            counted += 1
        assert counted <= 1

    @pytest.mark.parametrize("seed", range(5))
    async def test_whoever_sends_what_at_most_one_token_of_a_session_counts(
        self, identity: IdentityServiceStub, db: Database, clock: Clock, seed: int
    ) -> None:
        """Owner and thief send any token that either ever had, at any time, and one that ends the session ends it."""
        chance = random.Random(seed)
        await register(identity)
        known = [await login(identity)]
        ended = False
        for _ in range(40):
            clock.advance(timedelta(seconds=chance.choice([0, 1, 9, 10, 3600])))
            # Mostly the newest ones: the others end the session at once.
            sent = known[-1 - min(int(chance.expovariate(2)), len(known) - 1)]
            try:
                known.append(await refresh(identity, sent))
                assert not ended
            except RefreshTokenReused:
                assert not ended
                ended = True
            except RefreshTokenInvalid:
                assert ended
            async with db.read() as tx:
                fresh = await tx.scalar(
                    text(
                        "SELECT COUNT(*) FROM refresh_tokens JOIN sessions USING (session_id)"
                        " WHERE use_time IS NULL AND NOT replaced AND end_time IS NULL"
                    )
                )
            assert fresh == (0 if ended else 1)
        assert len(known) > 1

    async def test_without_a_key_to_sign_with_the_token_is_not_used_up(
        self, identity: IdentityServiceStub, db: Database, clock: Clock
    ) -> None:
        """UNAVAILABLE, and later it counts."""
        await register(identity)
        tokens = await login(identity)
        async with db.begin() as tx:
            await tx.execute(text("UPDATE signing_keys SET sign_time = NULL"))
        with pytest.raises(AioRpcError) as refused:
            await refresh(identity, tokens)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        async with db.begin() as tx:
            await tx.execute(text("UPDATE signing_keys SET sign_time = create_time"))
        clock.advance(timedelta(hours=1))
        assert (await refresh(identity, tokens)).access_token

    async def test_no_refresh_token_is_kept(self, identity: IdentityServiceStub, db: Database) -> None:
        """Only its digest: who reads the database can't go on with a session."""
        await register(identity)
        tokens = await login(identity)
        async with db.read() as tx:
            rows = (await tx.execute(text("SELECT * FROM refresh_tokens"))).all()
        assert len(rows) == 1
        assert tokens.refresh_token not in str(rows)
        assert tokens.refresh_token.encode() not in rows[0].digest


class TestLoggingOut:
    """Logout."""

    async def test_the_session_has_ended(self, identity: IdentityServiceStub) -> None:
        """Its refresh token does not count any more."""
        await register(identity)
        tokens = await login(identity)
        request = LogoutRequest(refresh_token=tokens.refresh_token)
        assert await identity.Logout(request) == await identity.Logout(request)  # doing it twice is doing it once
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, tokens)

    async def test_a_token_that_is_used_up_will_do(self, identity: IdentityServiceStub) -> None:
        """Whose answer was lost, say."""
        await register(identity)
        first = await login(identity)
        second = await refresh(identity, first)
        await identity.Logout(LogoutRequest(refresh_token=first.refresh_token))
        with pytest.raises(RefreshTokenInvalid):
            await refresh(identity, second)

    async def test_a_token_that_nobody_knows_is_no_error(self, identity: IdentityServiceStub) -> None:
        """The caller is logged out either way."""
        await identity.Logout(LogoutRequest(refresh_token="unknown"))


class TestMe:
    """GetMe and UpdateMe: who calls is whoever the mesh says."""

    async def test_everybody_gets_oneself(self, identity: IdentityServiceStub, calling_as: As) -> None:
        """And there is no way to ask for another."""
        alice, bob = await register(identity), await register(identity, "bob@example.com")
        async with calling_as(alice.user_id) as one, calling_as(bob.user_id) as other:
            assert (await one.GetMe(GetMeRequest())).user == alice
            assert (await other.GetMe(GetMeRequest())).user == bob

    async def test_a_token_that_is_older_than_its_users_end_finds_nobody(self, calling_as: As) -> None:
        """The declared error, for both methods."""
        async with calling_as("gone") as client:
            with pytest.raises(UserNotFound) as missing:
                await client.GetMe(GetMeRequest())
            assert missing.value.user_id == "gone"
            with pytest.raises(UserNotFound):
                await client.UpdateMe(UpdateMeRequest(user=User(display_name="Ghost")))

    async def test_a_name_is_changed(self, identity: IdentityServiceStub, calling_as: As, clock: Clock) -> None:
        """And nothing else; the etag is another."""
        before = await register(identity)
        clock.advance(timedelta(hours=1))
        async with calling_as(before.user_id) as client:
            changed = (await client.UpdateMe(UpdateMeRequest(user=User(display_name="Alice A.")))).user
            assert (await client.GetMe(GetMeRequest())).user == changed
        assert changed.display_name == "Alice A."
        assert changed.email == before.email
        assert changed.update_time.seconds - before.update_time.seconds == 3600
        assert changed.etag != before.etag

    @pytest.mark.parametrize("path", ["email", "scopes", "user_id", "etag", "password"])
    async def test_what_can_not_be_changed_is_refused(
        self, identity: IdentityServiceStub, calling_as: As, fields: Fields, path: str
    ) -> None:
        """By name, whatever the new value."""
        user = await register(identity)
        request = UpdateMeRequest(
            user=User(email="root@example.com", scopes=["shop.admin"]), update_mask=FieldMask(paths=[path])
        )
        async with calling_as(user.user_id) as client:
            with pytest.raises(AioRpcError) as refused:
                await client.UpdateMe(request)
            assert (await client.GetMe(GetMeRequest())).user == user
        assert fields(refused.value) == ["update_mask"]

    async def test_what_can_not_be_changed_is_passed_over_without_a_mask(
        self, identity: IdentityServiceStub, calling_as: As
    ) -> None:
        """A user that was read and is sent back makes nobody an administrator."""
        user = await register(identity)
        async with calling_as(user.user_id) as client:
            sent = User(email="root@example.com", scopes=["shop.admin"], display_name="Al")
            changed = (await client.UpdateMe(UpdateMeRequest(user=sent))).user
        assert (changed.email, list(changed.scopes), changed.display_name) == (EMAIL, ["shop.customer"], "Al")

    async def test_a_name_can_not_be_cleared(
        self, identity: IdentityServiceStub, calling_as: As, fields: Fields
    ) -> None:
        """The field is named as the request has it."""
        user = await register(identity)
        request = UpdateMeRequest(user=User(), update_mask=FieldMask(paths=["display_name"]))
        async with calling_as(user.user_id) as client:
            with pytest.raises(AioRpcError) as refused:
                await client.UpdateMe(request)
        assert fields(refused.value) == ["user.display_name"]

    async def test_somebody_who_was_faster_is_not_undone(self, identity: IdentityServiceStub, calling_as: As) -> None:
        """The error has the etag that holds now."""
        user = await register(identity)
        async with calling_as(user.user_id) as client:
            first = (await client.UpdateMe(UpdateMeRequest(user=User(display_name="One", etag=user.etag)))).user
            with pytest.raises(EtagMismatch) as stale:
                await client.UpdateMe(UpdateMeRequest(user=User(display_name="Two", etag=user.etag)))
        assert stale.value.current_etag == first.etag


class TestKeySet:
    """GetJsonWebKeySet."""

    async def test_it_is_the_set_that_the_mesh_verifies_with(
        self, identity: IdentityServiceStub, envoys: Envoys
    ) -> None:
        """In the words of RFC 7517, and without a private half."""
        answer = await identity.GetJsonWebKeySet(GetJsonWebKeySetRequest())
        [key] = answer.keys
        assert MessageToDict(answer) == json.loads(envoys.told[-1])
        assert set(MessageToDict(key)) == {"kty", "use", "alg", "kid", "crv", "x", "y"}
        assert (key.kty, key.use, key.alg, key.crv) == ("EC", "sig", "ES256", "P-256")


async def test_what_has_run_out_is_forgotten(
    identity: IdentityServiceStub, servicer: Identity, db: Database, clock: Clock
) -> None:
    """Tokens, and sessions without any; what still counts stays."""
    await register(identity)
    await login(identity)
    clock.advance(timedelta(days=29))
    kept = await login(identity)
    clock.advance(timedelta(days=2))
    await servicer.forget()
    async with db.read() as tx:
        counts = [
            await tx.scalar(text("SELECT COUNT(*) FROM refresh_tokens")),
            await tx.scalar(text("SELECT COUNT(*) FROM sessions")),
        ]
    assert counts == [1, 1]
    assert (await refresh(identity, kept)).access_token
