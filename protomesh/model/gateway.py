"""Where callers from outside enter the mesh."""

from dataclasses import dataclass

from protomesh.model.address import TcpAddress
from protomesh.model.origin import Origin

__all__ = ["Cors", "Gateway", "PrefixRoute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which web pages may call. Headers follow from the protocols and are not configured."""

    origins: tuple[str, ...]  # exact, as "http://localhost:5173"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRoute:
    """A path prefix that goes to one service as it is: what a monolith still answers."""

    prefix: str  # "/legacy/"
    service: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One listener at the edge. It serves every exposed method by gRPC, gRPC-Web and REST."""

    name: str  # "edge" for the first; also the name of its Envoy listener
    listen: TcpAddress
    cors: Cors | None = None
    routes: tuple[PrefixRoute, ...] = ()  # longest prefix first
    reflection: bool = True  # whether gRPC reflection answers here
    origin: Origin
