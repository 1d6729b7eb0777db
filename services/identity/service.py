"""IdentityService: users, sessions and keys as their contract has them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from protomesh.runtime import Context, StatusError
from protomesh.runtime.store import Database, Transaction, etag, masked
from protomesh.runtime.timestamps import timestamp
from services.identity import domain, store
from services.identity.domain import RefreshToken, Role, Session, SigningKey, Verdict
from services.identity.keys import Keys, public_half
from services.identity.passwords import Passwords
from services.identity.tokens import Tokens, digest
from shop.identity.v1 import (
    EmailTaken,
    EtagMismatch,
    GetJsonWebKeySetRequest,
    GetJsonWebKeySetResponse,
    GetMeRequest,
    GetMeResponse,
    IdentityServiceServicer,
    InvalidCredentials,
    JsonWebKey,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    RefreshTokenInvalid,
    RefreshTokenRequest,
    RefreshTokenResponse,
    RefreshTokenReused,
    RegisterRequest,
    RegisterResponse,
    UpdateMeRequest,
    UpdateMeResponse,
    User,
    UserNotFound,
)
from shop.identity.v1 import Tokens as TokensMessage

__all__ = ["Identity"]

_FIXED = ("user_id", "email", "scopes", "create_time", "update_time", "etag")

_log = structlog.get_logger(__name__)


class Identity(IdentityServiceServicer):
    """Serves the users of one database.

    Args:
        refresh_token_lifetime: How long a refresh token waits to be used.
        new_id: Makes ids of users and sessions.
    """

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        keys: Keys,
        tokens: Tokens,
        *,
        refresh_token_lifetime: timedelta,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._keys = keys
        self._tokens = tokens
        self._refresh_token_lifetime = refresh_token_lifetime
        self._now = now
        self._new_id = new_id

    async def Register(self, request: RegisterRequest, context: Context, /) -> RegisterResponse:
        email = domain.normalised(request.email)
        password_hash = await self._passwords.hashed(request.password)
        now = self._now()
        user = domain.User(
            user_id=self._new_id(),
            email=email,
            display_name=request.display_name or domain.name_of(email),
            role=Role.CUSTOMER,
            create_time=now,
            update_time=now,
        )
        async with self._db.begin() as tx:
            try:
                await store.add_user(tx, user, password_hash)
            except store.AddressInUse:
                raise EmailTaken(email=email) from None
        _log.info("user registered", user_id=user.user_id)
        return RegisterResponse(user=_message(user))

    async def Login(self, request: LoginRequest, context: Context, /) -> LoginResponse:
        async with self._db.read() as tx:
            found = await store.credentials_of(tx, domain.normalised(request.email))
        if not await self._passwords.match(request.password, None if found is None else found[1]) or found is None:
            raise InvalidCredentials
        user, password_hash = found
        renewed = await self._passwords.hashed(request.password) if self._passwords.outdated(password_hash) else None
        key = await self._keys.signing()
        now = self._now()
        session = Session(session_id=self._new_id(), user_id=user.user_id, create_time=now)
        async with self._db.begin() as tx:
            await store.add_session(tx, session)
            refresh_token = await self._refresh_token(tx, session, now)
            if renewed is not None:
                await store.put_password_hash(tx, user.user_id, renewed)
        _log.info("session began", user_id=user.user_id, session_id=session.session_id)
        return LoginResponse(tokens=self._answer(user, key, refresh_token, now), user=_message(user))

    async def RefreshToken(self, request: RefreshTokenRequest, context: Context, /) -> RefreshTokenResponse:
        key = await self._keys.signing()  # first: without one the token must not be used up
        now = self._now()
        async with self._db.begin() as tx:
            found = await store.token_to_use(tx, digest(request.refresh_token))
            if found is None:
                raise RefreshTokenInvalid
            token, session, user = found
            successor = None if token.successor is None else await store.token_of(tx, token.successor)
            verdict = domain.judged(token, session, successor, now)
            refresh_token = ""
            if verdict is Verdict.REUSED:
                await store.put_session(tx, replace(session, end_time=now))
            elif verdict is not Verdict.INVALID:
                if successor is not None:
                    await store.put_token(tx, replace(successor, replaced=True))
                refresh_token = await self._refresh_token(tx, session, now)
                await store.put_token(tx, token.answered(digest(refresh_token), now))
        # Not inside: an error there would undo that the session has ended.
        if verdict is Verdict.REUSED:
            _log.warning("refresh token reused", user_id=user.user_id, session_id=session.session_id)
            raise RefreshTokenReused
        if verdict is Verdict.INVALID:
            raise RefreshTokenInvalid
        return RefreshTokenResponse(tokens=self._answer(user, key, refresh_token, now))

    async def Logout(self, request: LogoutRequest, context: Context, /) -> LogoutResponse:
        async with self._db.begin() as tx:
            found = await store.token_to_use(tx, digest(request.refresh_token))
            if found is not None and found[1].end_time is None:
                await store.put_session(tx, replace(found[1], end_time=self._now()))
        return LogoutResponse()

    async def GetMe(self, request: GetMeRequest, context: Context, /) -> GetMeResponse:
        async with self._db.read() as tx:
            return GetMeResponse(user=_message(await _caller(tx, context)))

    async def UpdateMe(self, request: UpdateMeRequest, context: Context, /) -> UpdateMeResponse:
        async with self._db.begin() as tx:
            user = await _caller(tx, context)
            current = _message(user)
            if request.user.etag and request.user.etag != current.etag:
                raise EtagMismatch(user_id=user.user_id, current_etag=current.etag)
            changed = masked(current, request.user, request.update_mask, fixed=_FIXED)
            try:
                kept = replace(user, display_name=changed.display_name, update_time=self._now())
            except domain.InvalidUser as invalid:
                raise StatusError.invalid(f"user.{invalid.field}", invalid.reason) from None
            await store.put_user(tx, kept)
        return UpdateMeResponse(user=_message(kept))

    async def GetJsonWebKeySet(self, request: GetJsonWebKeySetRequest, context: Context, /) -> GetJsonWebKeySetResponse:
        return GetJsonWebKeySetResponse(keys=[JsonWebKey(**public_half(key)) for key in await self._keys.all()])

    async def forget(self) -> None:
        """Drops what has run out: refresh tokens, and sessions that have no other."""
        async with self._db.begin() as tx:
            await store.drop_sessions(tx, before=self._now())

    async def _refresh_token(self, tx: Transaction, session: Session, now: datetime) -> str:
        """Gives a session another refresh token."""
        text = self._tokens.refresh()
        expire_time = now + self._refresh_token_lifetime
        await store.put_token(
            tx, RefreshToken(digest=digest(text), session_id=session.session_id, expire_time=expire_time)
        )
        return text

    def _answer(self, user: domain.User, key: SigningKey, refresh_token: str, now: datetime) -> TokensMessage:
        access_token, access_expire_time = self._tokens.access(user, key, now)
        return TokensMessage(
            access_token=access_token,
            access_expire_time=timestamp(access_expire_time),
            refresh_token=refresh_token,
            refresh_expire_time=timestamp(now + self._refresh_token_lifetime),
        )


async def _caller(tx: Transaction, context: Context) -> domain.User:
    subject = context.require_user().subject
    user = await store.user_of(tx, subject)
    if user is None:
        raise UserNotFound(user_id=subject)
    return user


def _message(user: domain.User) -> User:
    message = User(
        user_id=user.user_id,
        email=user.email,
        display_name=user.display_name,
        scopes=user.role.scopes,
        create_time=timestamp(user.create_time),
        update_time=timestamp(user.update_time),
    )
    message.etag = etag(message)
    return message
