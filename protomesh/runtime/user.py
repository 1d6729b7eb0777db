"""Who calls, as the mesh found out before the call reached the service."""

import base64
import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CALLER", "CLAIMS", "SCOPES", "SUBJECT", "TOKEN", "User", "user_of"]

# Metadata that Envoy sets and overwrites: nobody else can.
CALLER = "x-protomesh-caller"
SUBJECT = "x-protomesh-subject"
SCOPES = "x-protomesh-scopes"
TOKEN = "x-protomesh-token"  # noqa: S105 - its name: as it came, where a callee elsewhere wants it
CLAIMS = "x-protomesh-claims"  # what the token says, as it says it: base64url of JSON


@dataclass(frozen=True, slots=True)
class User:
    """The person or program on whose behalf a call is made; Envoy has verified the token."""

    subject: str  # the token's `sub`; `@NAME|sub` if its issuer has the name NAME in mesh.yaml
    scopes: AbstractSet[str] = frozenset()
    claims: Mapping[str, Any] = field(
        default_factory=dict, hash=False
    )  # all of the token's, `sub` and `scope` included

    @property
    def issuer(self) -> str | None:
        """Who has vouched for the user: the token's `iss`. None where the claims have not come along."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None

    def metadata(self) -> Iterator[tuple[str, str]]:
        """How the user travels with a call."""
        yield SUBJECT, self.subject
        if self.scopes:
            yield SCOPES, " ".join(sorted(self.scopes))
        if self.claims:
            text = json.dumps(dict(self.claims), separators=(",", ":"), sort_keys=True)
            yield CLAIMS, base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def user_of(metadata: Mapping[str, str | bytes]) -> User | None:
    """The user whom a call's metadata names; None if it is made on nobody's behalf."""
    subject = metadata.get(SUBJECT)
    if not isinstance(subject, str) or not subject:
        return None
    scopes = metadata.get(SCOPES)
    named = frozenset(scopes.split()) if isinstance(scopes, str) else frozenset[str]()
    return User(subject, named, _claims(metadata.get(CLAIMS)))


def _claims(text: str | bytes | None) -> Mapping[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
