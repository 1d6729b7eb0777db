"""The keys that sign tokens: made, told to the mesh, used, and kept until their last token has run out."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import grpc
import structlog
from joserfc.jwk import ECKey

from protomesh.runtime import StatusError
from protomesh.runtime.store import Database, changes
from services.identity import domain, store
from services.identity.domain import SigningKey
from services.identity.tokens import ALGORITHM

__all__ = ["Keys", "new_key", "public_half"]

# How often the mesh is told again what it should know already: one that was restarted meanwhile does not.
_TOLD_AGAIN = timedelta(minutes=1)

# How long a login waits for the first key of all: the mesh is starting.
_FIRST_KEY = timedelta(seconds=3)

_log = structlog.get_logger(__name__)


class Keys:
    """The keys of one database, which all workers share.

    One worker calls `keep` again and again. Each step of it leaves a state from which the next call goes on, whoever
    makes it: the next key is kept before the mesh is told of it, signs after the mesh has said that every Envoy knows
    it, and the key before stays in the set until its tokens have run out. So a token is never signed with a key that
    an Envoy does not know.

    Args:
        publish: Tells the mesh the whole set, as JSON; returns when every Envoy verifies with it.
        lifetime: How long a key signs.
        token_lifetime: How long a token counts that it signed.
        generate: Makes a key: its id, and its private half in PEM.
        patience: How long to wait for the first key of all.
    """

    def __init__(
        self,
        db: Database,
        publish: Callable[[str], Awaitable[None]],
        *,
        lifetime: timedelta,
        token_lifetime: timedelta,
        now: Callable[[], datetime],
        generate: Callable[[], tuple[str, str]],
        patience: timedelta = _FIRST_KEY,
    ) -> None:
        self._db = db
        self._publish = publish
        self._lifetime = lifetime
        self._token_lifetime = token_lifetime
        self._now = now
        self._generate = generate
        self._patience = patience.total_seconds()
        self._told: tuple[str, datetime] | None = None

    async def keep(self) -> None:
        """Makes the next key when it is time, and lets it sign once the mesh knows it."""
        keys = await self._with_the_next()
        await self._tell(keys)
        if any(key.sign_time is None for key in keys):
            await self._let_sign({key.kid for key in keys})

    async def signing(self) -> SigningKey:
        """The key to sign with now.

        Raises:
            StatusError: There is none yet, and did not come while the caller waited (UNAVAILABLE).
        """
        if (found := domain.signing(await self.all())) is not None:
            return found
        try:
            async with asyncio.timeout(self._patience):
                async for _ in changes(self._db):
                    if (found := domain.signing(await self.all())) is not None:
                        return found
        except TimeoutError:
            pass
        raise StatusError(grpc.StatusCode.UNAVAILABLE, "there is no key to sign tokens with yet; try again")

    async def all(self) -> list[SigningKey]:
        """Every key that tokens can be verified with, the oldest first."""
        async with self._db.read() as tx:
            return await store.keys(tx)

    async def _with_the_next(self) -> list[SigningKey]:
        async with self._db.begin() as tx:
            now = self._now()
            found = await store.keys(tx)
            over = [key.kid for key in found if key.expire_time is not None and now >= key.expire_time]
            await store.drop_keys(tx, over)
            keys = [key for key in found if key.kid not in over]
            if domain.is_due(keys, now, self._lifetime):
                kid, private_key = self._generate()
                keys.append(SigningKey(kid=kid, private_key=private_key, create_time=now))
                await store.put_key(tx, keys[-1])
        return keys

    async def _tell(self, keys: Sequence[SigningKey]) -> None:
        jwks = json.dumps({"keys": [public_half(key) for key in keys]})
        now = self._now()
        if self._told is not None and self._told[0] == jwks and now - self._told[1] < _TOLD_AGAIN:
            return
        await self._publish(jwks)
        self._told = (jwks, now)

    async def _let_sign(self, told: set[str]) -> None:
        async with self._db.begin() as tx:
            now = self._now()
            keys = await store.keys(tx)
            following = next((key for key in keys if key.sign_time is None and key.kid in told), None)
            if following is None:
                return
            if (previous := domain.signing(keys)) is not None:
                await store.put_key(tx, previous.expiring(now, self._token_lifetime))
            await store.put_key(tx, replace(following, sign_time=now))
        _log.info("tokens are signed with another key", kid=following.kid)


def new_key() -> tuple[str, str]:
    """A new key: its id, which is its thumbprint (RFC 7638), and its private half in PEM."""
    key = ECKey.generate_key("P-256")
    return key.thumbprint(), key.as_pem(private=True).decode()


def public_half(key: SigningKey) -> dict[str, str]:
    """A key as the world may see it: a JSON Web Key."""
    public = ECKey.import_key(key.private_key).as_dict(private=False)
    return {
        "kty": str(public["kty"]),
        "use": "sig",
        "alg": ALGORITHM,
        "kid": key.kid,
        "crv": str(public["crv"]),
        "x": str(public["x"]),
        "y": str(public["y"]),
    }
