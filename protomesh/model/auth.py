"""Who vouches for callers at the edge."""

from dataclasses import dataclass
from datetime import timedelta

from protomesh.model.origin import Origin

__all__ = ["KeySource", "TokenProvider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where an issuer's public keys come from: exactly one of these."""

    service: str | None = None  # of the mesh, which issues the tokens and publishes its keys
    file: str | None = None  # relative to the project
    url: str | None = None  # https, or http on loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProvider:
    """An issuer whose tokens (JWT) let callers use USER methods. In one mesh no two have the same issuer.

    What a `sub` means is its issuer's alone (RFC 7519, section 4.1.2). So the users of a provider with a name are
    called `@name|sub`; those of the one without, the mesh's own, by their `sub`, which can't begin with `@`.

    `key_set` is what the issuer has published: the JSON of a JSON Web Key Set (RFC 7517). No contract knows it; the
    control plane puts it in, and without it no token is valid.
    """

    name: str = ""  # one in a mesh may have none
    issuer: str  # `iss` of every token
    audience: str  # must be among its `aud`
    keys: KeySource
    max_lifetime: timedelta  # of a token, from `iat` or `nbf` to `exp`
    key_set: str = ""
    origin: Origin
