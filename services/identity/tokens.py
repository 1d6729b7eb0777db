"""Tokens: what the mesh verifies, and what gets the next one."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from joserfc import jwt
from joserfc.jwk import ECKey

from services.identity.domain import SigningKey, User

__all__ = ["ALGORITHM", "Tokens", "digest"]

ALGORITHM = "ES256"

# More random bits than anybody can guess (RFC 6749, section 10.10), and as many as the digest has.
_REFRESH_TOKEN_BYTES = 32


class Tokens:
    """Makes the tokens of one issuer for one audience.

    Args:
        issuer: The claim `iss`; auth.issuer of mesh.yaml.
        audience: The claim `aud`; auth.audience of mesh.yaml.
        lifetime: How long an access token counts.
        new_id: Makes the claim `jti`.
        random: Makes so many random bytes; that of the operating system unless a test has another.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        lifetime: timedelta,
        new_id: Callable[[], str],
        random: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._lifetime = lifetime
        self._issuer = issuer
        self._audience = audience
        self._new_id = new_id
        self._random = random
        self._imported: tuple[str, ECKey] | None = None

    def access(self, user: User, key: SigningKey, now: datetime) -> tuple[str, datetime]:
        """A token that says who the user is and what the user may do, and when it runs out."""
        issued = int(now.timestamp())
        expires = int((now + self._lifetime).timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user.user_id,
            "scope": " ".join(user.role.scopes),
            "iat": issued,
            "nbf": issued,
            "exp": expires,
            "jti": self._new_id(),
        }
        token = jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, claims, self._key(key))
        return token, datetime.fromtimestamp(expires, UTC)

    def refresh(self) -> str:
        """A refresh token: 256 random bits, in base64url. Keep its `digest` and nothing else of it."""
        return self._random(_REFRESH_TOKEN_BYTES)

    def _key(self, key: SigningKey) -> ECKey:
        """The key, read from its text once."""
        if self._imported is None or self._imported[0] != key.kid:
            self._imported = (key.kid, ECKey.import_key(key.private_key))
        return self._imported[1]


def digest(refresh_token: str) -> bytes:
    """What is kept of a refresh token."""
    return hashlib.sha256(refresh_token.encode()).digest()
