"""The policies that a method can carry."""

import enum
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Audience", "RateLimit", "RetryPolicy", "Safety"]


class Audience(enum.Enum):
    """Who may call a method."""

    INTERNAL = "internal"  # services of the mesh that list it in their calls; it does not exist at the edge
    USER = "user"  # callers at the edge with a valid token
    PUBLIC = "public"  # anyone who reaches the edge


class Safety(enum.Enum):
    """What a second delivery of the same call may do; the contract's idempotency_level."""

    UNSAFE = "unsafe"  # a repeat may do the work twice: the handler runs at most once per call
    IDEMPOTENT = "idempotent"  # a repeat leaves what the first left
    NO_SIDE_EFFECTS = "no_side_effects"  # a read

    @property
    def repeatable(self) -> bool:
        """Whether Envoy may send the call again after a service may have seen it."""
        return self is not Safety.UNSAFE


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What Envoy repeats.

    A connection that was never made is retried for every unary method. `after_response` also retries UNAVAILABLE
    (AIP-194) and broken connections, and is only ever set where a repeat is safe.
    """

    max_attempts: int = 3  # tries in all, the first included
    after_response: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `requests` in each `per`, as a token bucket that is full at first."""

    requests: int
    per: timedelta
