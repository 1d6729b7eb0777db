"""What clients said to what they were sent, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NodeStatus", "Rejection", "StreamStatus", "TypeStatus", "short_reason"]

_CONSTRAINT = ": Proto constraint"
_DEBUG_MARK = "goo.gle/debugstr"  # protobuf puts it, and spaces at random, before a printed message


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A resource that a client refused. Its last accepted version, if there was one, stays in force."""

    name: str
    version: str | None  # None if it was the removal that was refused
    reason: str  # for people; the end of the client's own text


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeStatus:
    """One type on one stream."""

    subscribed: frozenset[str] | None  # names; None for a wildcard
    acknowledged: Mapping[str, str]  # versions that the client took, by name
    in_flight: frozenset[str]  # names sent and not yet answered
    rejections: tuple[Rejection, ...]  # by name


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One stream: one connection of one client."""

    peer: str
    types: Mapping[str, TypeStatus]  # by type URL


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """Every stream of one node. During a hot restart a node has two; a node that is away has none."""

    node: str
    streams: tuple[StreamStatus, ...]

    def rejections(self, type_url: str) -> tuple[Rejection, ...]:
        """What any stream refuses at present, each resource once, by name."""
        found = {
            rejection.name: rejection
            for stream in self.streams
            if (status := stream.types.get(type_url))
            for rejection in status.rejections
        }
        return tuple(found[name] for name in sorted(found))

    def acknowledged(self, type_url: str) -> Mapping[str, str]:
        """The versions that every stream has taken, by name; nothing if no stream follows the type."""
        taken = [status.acknowledged for stream in self.streams if (status := stream.types.get(type_url))]
        if not taken:
            return {}
        return {name: version for name, version in taken[0].items() if all(t.get(name) == version for t in taken[1:])}


def short_reason(text: str) -> str:
    """The part of a client's refusal that helps.

    Envoy's text of a failed constraint repeats the whole resource for each level of nesting; what is wrong comes
    after the last `: Proto constraint`.
    """
    _, found, tail = text.rpartition(_CONSTRAINT)
    words = (_CONSTRAINT.removeprefix(": ") + tail if found else text).split()
    return " ".join(word for word in words if word != _DEBUG_MARK)
