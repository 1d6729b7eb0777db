"""One resource: an opaque body under a type URL and a name."""

import hashlib
from dataclasses import dataclass, field

__all__ = ["Key", "Resource"]

Key = tuple[str, str]
"""A type URL and a name: what identifies a resource within a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Resource:
    """A resource as it goes to a client: serialized once, its bytes shared by every stream.

    `version` is a hash of the body and nothing else. A server that counted versions would be believed to be in sync
    after a restart, because its numbers begin again while the client still holds the old ones.
    """

    type_url: str  # type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: str
    body: bytes = field(repr=False, compare=False)  # the message that type_url names, serialized deterministically
    needs: tuple[Key, ...] = field(default=(), compare=False)  # resources that must exist for this one to work
    version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", hashlib.sha256(self.body).hexdigest()[:16])

    @property
    def key(self) -> Key:
        """What identifies it within a snapshot."""
        return (self.type_url, self.name)
