"""Where callers from outside enter the mesh."""

from dataclasses import dataclass

from protomesh.model.address import TcpAddress
from protomesh.model.origin import Origin

__all__ = ["Clients", "Cors", "FilesRoute", "Gateway", "PrefixRoute", "Tls"]


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
class FilesRoute:
    """A path prefix below which a folder's files are answered: a web page that calls the mesh where it comes from."""

    prefix: str  # "/"
    folder: str  # relative to the project; what a build makes, so that it may not be there
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Whose certificates callers may show."""

    authorities: str  # a PEM file of CA certificates, relative to the project
    required: bool = False  # who shows none is sent away


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a gateway shows to prove who it is. Paths are relative to the project."""

    certificate: str | None = None  # a PEM file, its chain behind it; None for one of the mesh's development CA
    key: str | None = None  # a PEM file, without a password
    clients: Clients | None = None

    @property
    def development(self) -> bool:
        """Whether the certificate is the mesh's own, which nobody trusts who was not told to."""
        return self.certificate is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One listener at the edge. It serves every exposed method by gRPC, gRPC-Web and REST."""

    name: str  # "edge" for the first; also the name of its Envoy listener
    listen: TcpAddress
    tls: Tls | None = None  # without, plain text
    cors: Cors | None = None
    routes: tuple[PrefixRoute, ...] = ()  # longest prefix first
    files: tuple[FilesRoute, ...] = ()  # likewise
    reflection: bool = True  # whether gRPC reflection answers here
    origin: Origin

    @property
    def of_development(self) -> bool:
        """Whether it shows a certificate of the mesh's development CA."""
        return self.tls is not None and self.tls.development
