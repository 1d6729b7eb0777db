"""What identity's tests put in the place of the mesh."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

__all__ = ["AUDIENCE", "ISSUER", "Envoys"]

AUDIENCE = "shop"
ISSUER = "https://shop.local"


class Envoys:
    """All Envoys of a mesh: they verify with the set of keys that they were told last, and remember every set."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.told: list[str] = []
        self._now = now

    async def publish(self, jwks: str) -> None:
        """Takes a set of keys; the mesh says that every Envoy has it."""
        self.told.append(jwks)

    @property
    def kids(self) -> list[str]:
        """The ids of the keys that they verify with."""
        return [key["kid"] for key in json.loads(self.told[-1])["keys"]] if self.told else []

    def verify(self, access_token: str) -> dict[str, Any]:
        """The claims of a token that they let through.

        Raises:
            joserfc.errors.JoseError: They don't.
        """
        now = int(self._now().timestamp())
        keys = KeySet.import_key_set(json.loads(self.told[-1]) if self.told else {"keys": []})
        token = jwt.decode(access_token, keys, algorithms=["ES256"])
        jwt.JWTClaimsRegistry(
            now=now,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        ).validate(token.claims)
        return token.claims
