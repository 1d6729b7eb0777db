"""Where something listens."""

import ipaddress
from dataclasses import dataclass

__all__ = ["Address", "TcpAddress", "UnixAddress", "parse_address"]

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - by wildcard: it is connected to


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host and a port. `host` is an IP address or a name; an IPv6 address is without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def wildcard(self) -> bool:
        """Whether who listens here does so at every address of the machine."""
        return self.host in _LOOPBACK

    @property
    def loopback(self) -> bool:
        """Whether it is this machine for sure. A name, but for localhost, may be any."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def from_here(self) -> "TcpAddress":
        """Where this machine itself connects to reach who listens here."""
        return TcpAddress(_LOOPBACK.get(self.host, self.host), self.port)


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The absolute path of a unix socket. Spelled `unix:/path`, as gRPC does."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """Reads `host:port`, `[::1]:port` or `unix:/absolute/path`.

    Raises:
        ValueError: `text` is none of these; the message says why.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            msg = f"{text!r} needs an absolute path after 'unix:'"
            raise ValueError(msg)
        return UnixAddress(path)
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        msg = f"{text!r} is not host:port"
        raise ValueError(msg)
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):  # noqa: PLR2004 - the largest port
        msg = f"{port!r} is not a port"
        raise ValueError(msg)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        msg = f"{text!r} needs brackets around its IPv6 address"
        raise ValueError(msg)
    return TcpAddress(host, int(port))
