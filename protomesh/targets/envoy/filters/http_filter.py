"""What an HTTP filter of Envoy is to Protomesh."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from protomesh.model import Gateway, Method, Origin, Topology
from protomesh.targets.envoy.names import Body

__all__ = ["Face", "HttpFilter"]


class Face(enum.Enum):
    """Whom a listener is for."""

    EDGE = "edge"  # callers from outside
    EGRESS = "egress"  # one service of the mesh
    OPERATOR = "operator"  # whoever runs the mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFilter:
    """One filter: where it works, and its configuration for all calls, one gateway or one method.

    A filter that the contract changes has `discovered`, which makes its configuration: it comes by ECDS, so that its
    change leaves the listener, and the streams in it, alone. All others have `config`, which depends on nothing.
    """

    name: str  # also the key of its configuration in routes
    type: str  # full name of the configuration's message
    faces: frozenset[Face]
    config: Body = field(default_factory=dict)
    discovered: Callable[[Topology], Body] | None = None
    disabled: bool = False  # whether a route has to switch it on
    per_method: Callable[[Method], Body | None] | None = None  # packed, with its own type
    per_gateway: Callable[[Topology, Gateway], Body | None] | None = None
    origins: Callable[[Topology], Mapping[str, Origin]] | None = None
