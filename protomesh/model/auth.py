"""Who vouches for callers at the edge."""

from dataclasses import dataclass
from datetime import timedelta

from protomesh.model.origin import Origin

__all__ = ["Auth", "KeySource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where an issuer's public keys come from: exactly one of these."""

    service: str | None = None  # of the mesh, which issues the tokens and publishes its keys
    file: str | None = None  # relative to the project
    url: str | None = None  # https, or http on loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """The issuer whose tokens (JWT) let callers use USER methods.

    `key_set` is what the issuer has published: the JSON of a JSON Web Key Set (RFC 7517). No contract knows it; the
    control plane puts it in, and without it no token is valid.
    """

    issuer: str  # `iss` of every token
    audience: str  # must be among its `aud`
    keys: KeySource
    max_lifetime: timedelta  # of a token, from `iat` or `nbf` to `exp`
    key_set: str = ""
    origin: Origin
