"""The plain middle: what a mesh is, with every default resolved.

`contract` makes a `Topology`; `targets` read it. Frozen values of the standard library only: nothing here knows gRPC,
protobuf or Envoy, and nothing here imports another part of Protomesh.
"""

from protomesh.model.address import Address, TcpAddress, UnixAddress, parse_address
from protomesh.model.auth import KeySource, TokenProvider
from protomesh.model.broker import Broker
from protomesh.model.contract import (
    DEFAULT_MAX_REQUEST_BYTES,
    DeclaredError,
    DeclaredEvent,
    Method,
    RestBinding,
    RpcService,
)
from protomesh.model.gateway import Clients, Cors, FilesRoute, Gateway, PrefixRoute, Tls
from protomesh.model.layout import Layout
from protomesh.model.origin import Origin
from protomesh.model.policy import Audience, RateLimit, RetryPolicy, Safety
from protomesh.model.service import Account, Call, Command, Endpoint, External, PythonApp, ServerTls, Service, UserAs
from protomesh.model.topology import Topology

__all__ = [
    "DEFAULT_MAX_REQUEST_BYTES",
    "Account",
    "Address",
    "Audience",
    "Broker",
    "Call",
    "Clients",
    "Command",
    "Cors",
    "DeclaredError",
    "DeclaredEvent",
    "Endpoint",
    "External",
    "FilesRoute",
    "Gateway",
    "KeySource",
    "Layout",
    "Method",
    "Origin",
    "PrefixRoute",
    "PythonApp",
    "RateLimit",
    "RestBinding",
    "RetryPolicy",
    "RpcService",
    "Safety",
    "ServerTls",
    "Service",
    "TcpAddress",
    "Tls",
    "TokenProvider",
    "Topology",
    "UnixAddress",
    "UserAs",
    "parse_address",
]
