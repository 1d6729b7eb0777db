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
from protomesh.runtime.store import Database, Transaction, changes
from services.identity import domain, store
from services.identity.domain import SigningKey, Verifier
from services.identity.tokens import ALGORITHM

__all__ = ["Keys", "new_key", "public_half"]

# How often the mesh is told again what it should know already: one that was restarted meanwhile does not.
_TOLD_AGAIN = timedelta(minutes=1)

# When a mesh that is told no more is no longer spoken of.
_FORGOTTEN = timedelta(days=1)

# How long a login waits for the first key of all: the mesh is starting.
_FIRST_KEY = timedelta(seconds=3)

_log = structlog.get_logger(__name__)


class Keys:
    """The keys of one database, which all workers share.

    One worker of each mesh calls `keep` again and again. Each step of it leaves a state from which the next call goes
    on, whoever makes it: the next key is kept before any mesh is told of it, signs after every mesh has said that all
    its Envoys know it, and the key before stays in the set until its tokens have run out. So a token is never signed
    with a key that an Envoy does not know, as long as each mesh is told.

    Args:
        mesh: What this worker's mesh is called, and no other one that shares the database.
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
        mesh: str,
        lifetime: timedelta,
        token_lifetime: timedelta,
        now: Callable[[], datetime],
        generate: Callable[[], tuple[str, str]],
        patience: timedelta = _FIRST_KEY,
    ) -> None:
        self._db = db
        self._publish = publish
        self._mesh = mesh
        self._lifetime = lifetime
        self._token_lifetime = token_lifetime
        self._now = now
        self._generate = generate
        self._patience = patience.total_seconds()
        self._joined = False
        self._told: tuple[str, datetime] | None = None

    async def keep(self) -> None:
        """Makes the next key when it is time, and lets it sign once the mesh knows it."""
        keys = await self._with_the_next()
        told = await self._tell(keys)
        if told or any(key.sign_time is None for key in keys):
            await self._let_sign(frozenset(key.kid for key in keys))

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
            if not self._joined:
                await self._join(tx, now)
        self._joined = True  # once: a mesh that can't be told must not be waited for any longer each time
        return keys

    async def _join(self, tx: Transaction, now: datetime) -> None:
        """From here on the other meshes wait with another key until this one knows it."""
        known = next((each.kids for each in await store.verifiers(tx) if each.mesh == self._mesh), frozenset[str]())
        await store.put_verifier(tx, Verifier(mesh=self._mesh, kids=known, tell_time=now))

    async def _tell(self, keys: Sequence[SigningKey]) -> bool:
        """Tells this mesh, unless it was told the same not long ago."""
        jwks = json.dumps({"keys": [public_half(key) for key in keys]})
        now = self._now()
        if self._told is not None and self._told[0] == jwks and now - self._told[1] < _TOLD_AGAIN:
            return False
        await self._publish(jwks)
        self._told = (jwks, now)
        return True

    async def _let_sign(self, told: frozenset[str]) -> None:
        async with self._db.begin() as tx:
            now = self._now()
            await store.put_verifier(tx, Verifier(mesh=self._mesh, kids=told, tell_time=now))
            await store.drop_verifiers(tx, before=now - _FORGOTTEN)
            keys = await store.keys(tx)
            following = next((key for key in keys if key.sign_time is None and key.kid in told), None)
            if following is None:
                return
            behind = domain.not_knowing(following.kid, await store.verifiers(tx))
            # The first key of all waits for nobody: without it no token counts anywhere.
            if domain.signing(keys) is not None and not all(each.silent(now) for each in behind):
                return
            if (previous := domain.signing(keys)) is not None:
                await store.put_key(tx, previous.expiring(now, self._token_lifetime))
            await store.put_key(tx, replace(following, sign_time=now))
        _log.info("tokens are signed with another key", kid=following.kid)
        if behind:
            _log.warning("a mesh may refuse its tokens until it is told", meshes=[each.mesh for each in behind])


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
