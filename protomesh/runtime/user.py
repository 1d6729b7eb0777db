"""Who calls, as the mesh found out before the call reached the service."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

__all__ = ["CALLER", "SCOPES", "SUBJECT", "User", "user_of"]

# Metadata that Envoy sets and overwrites: nobody else can.
CALLER = "x-protomesh-caller"
SUBJECT = "x-protomesh-subject"
SCOPES = "x-protomesh-scopes"


@dataclass(frozen=True, slots=True)
class User:
    """The person or program on whose behalf a call is made; Envoy has verified the token."""

    subject: str  # the token's `sub`
    scopes: AbstractSet[str] = frozenset()

    def metadata(self) -> Iterator[tuple[str, str]]:
        """How the user travels with a call."""
        yield SUBJECT, self.subject
        if self.scopes:
            yield SCOPES, " ".join(sorted(self.scopes))


def user_of(metadata: Mapping[str, str | bytes]) -> User | None:
    """The user whom a call's metadata names; None if it is made on nobody's behalf."""
    subject = metadata.get(SUBJECT)
    if not isinstance(subject, str) or not subject:
        return None
    scopes = metadata.get(SCOPES)
    return User(subject, frozenset(scopes.split()) if isinstance(scopes, str) else frozenset())
