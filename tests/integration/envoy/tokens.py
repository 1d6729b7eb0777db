"""An issuer of tokens, and of every kind that must not pass."""

import base64
import hmac
import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

__all__ = ["AUDIENCE", "ISSUER", "Issuer", "signed_with_a_secret", "unsigned"]

ISSUER = "https://lab.test"
AUDIENCE = "lab"


class Issuer:
    """Signs with a key of its own, known by `kid`."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self.key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})

    @property
    def key_set(self) -> str:
        """What it publishes."""
        return json.dumps(KeySet([self.key]).as_dict(private=False))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token; a change to None takes a claim away."""
        now = int(time.time())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, "scope": "lab.read"}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, *, kid: str | None = None, **changes: Any) -> str:
        """A token that is good but for what is changed."""
        header = {"alg": "ES256", "kid": kid or self.kid}
        return jwt.encode(header, self.claims(**changes), self.key)

    def bearer(self, **changes: Any) -> tuple[tuple[str, str], ...]:
        """Metadata of a call with a token."""
        return (("authorization", f"Bearer {self.token(**changes)}"),)


def unsigned(claims: dict[str, Any]) -> str:
    """A token that says of itself that nobody has signed it."""
    return f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(claims)}."


def signed_with_a_secret(secret: bytes, kid: str, claims: dict[str, Any]) -> str:
    """HS256, by hand: no library takes a public key for a secret."""
    signed = f"{_encode({'alg': 'HS256', 'kid': kid})}.{_encode(claims)}"
    return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _encode(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
