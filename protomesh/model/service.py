"""The services that make up a mesh: what each one runs, serves and calls."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from protomesh.model.address import Address
from protomesh.model.broker import Broker
from protomesh.model.contract import Method, RpcService
from protomesh.model.origin import Origin

__all__ = ["Account", "Call", "Command", "Endpoint", "External", "PythonApp", "ServerTls", "Service", "UserAs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonApp:
    """A Python composition root, run by `python -m protomesh.runtime`."""

    target: str  # services.catalog.app:app


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program in any language that keeps docs/reference/service-protocol.md."""

    argv: tuple[str, ...]


class UserAs(enum.Enum):
    """How what runs elsewhere hears of the user on whose behalf it is called, and of the caller."""

    METADATA = "metadata"  # as every service of the mesh: it believes what comes from this machine
    TOKEN = "token"  # noqa: S105 - a word; by the original token, which it verifies itself; it hears of no caller
    NOBODY = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """Who a server has to prove to be."""

    authorities: str  # a file of CA certificates, PEM, relative to the project
    name: str  # a host name or IP address that its certificate must be for


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Something that already runs somewhere and is not ours to start."""

    address: Address
    http1: bool = False  # it speaks HTTP/1.1 and not gRPC
    tls: ServerTls | None = None  # plain text without
    user: UserAs = UserAs.METADATA


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user of the machine that a service's workers run as. Whether there is one is seen where the mesh starts."""

    name: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A service that another one may call: all its methods, or the named ones."""

    service: str
    methods: tuple[str, ...] = ()  # full names; empty for all
    origin: Origin

    def covers(self, full_name: str) -> bool:
        """Whether it lets a method of the service be called."""
        return not self.methods or full_name in self.methods


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of the mesh: one process kind, one owner of data, one or more RPC services.

    Its name is the Envoy cluster, the log's file and the caller's identity.
    """

    name: str
    runs: PythonApp | Command | External
    serves: tuple[RpcService, ...]
    workers: int = 1
    calls: tuple[Call, ...] = ()
    subscribes: tuple[str, ...] = ()  # full names of events
    # The services to tell, sorted, by the full name of each event that this one may publish.
    subscribers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # The services that may publish, sorted, by the full name of each event that this one subscribes to.
    publishers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    broker: Broker | None = None  # what carries events; None if the mesh does
    env: Mapping[str, str] = field(default_factory=dict)
    env_file: str | None = None  # relative to the project directory
    account: Account | None = None  # the one that runs the mesh if None
    origin: Origin

    @property
    def methods(self) -> tuple[Method, ...]:
        """Every method it serves, in the contract's order."""
        return tuple(method for rpc_service in self.serves for method in rpc_service.methods)

    @property
    def supervised(self) -> bool:
        """Whether the mesh starts it."""
        return not isinstance(self.runs, External)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place where a service answers now."""

    address: Address
    weight: int = 1
