"""What carries events, if the mesh itself does not."""

from dataclasses import dataclass, field

__all__ = ["Broker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """NATS JetStream, as every service of the mesh finds it."""

    url: str = field(repr=False)  # nats://user:password@host:4222; several separated by commas
    prefix: str  # what the names of streams begin with
