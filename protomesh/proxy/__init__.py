"""Envoy as a program: which one runs, the schemas it speaks, whether it accepts a configuration, its process.

Takes plain dicts and addresses; gives a running Envoy and the bytes that it understands. Knows neither meshes nor
contracts. Imports the model and protobuf, never the package `envoy` that the wheel installs.
"""

from protomesh.proxy.errors import ConfigurationRefused, EnvoyFailed, EnvoyNotFound, ProxyError
from protomesh.proxy.find import EnvoyBinary, find
from protomesh.proxy.process import EnvoyProcess
from protomesh.proxy.schemas import Schemas
from protomesh.proxy.statistics import Statistics
from protomesh.proxy.validate import validate

__all__ = [
    "ConfigurationRefused",
    "EnvoyBinary",
    "EnvoyFailed",
    "EnvoyNotFound",
    "EnvoyProcess",
    "ProxyError",
    "Schemas",
    "Statistics",
    "find",
    "validate",
]
