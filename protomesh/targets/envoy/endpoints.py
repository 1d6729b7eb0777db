"""Where services answer, in Envoy's words."""

from collections.abc import Sequence

from protomesh.model import Address, Endpoint, TcpAddress, UnixAddress
from protomesh.targets.envoy.names import Body

__all__ = ["PRIVATE", "address", "load_assignment"]

PRIVATE = 0o600
"""The mode of a unix socket that only its owner may connect to."""


def load_assignment(service: str, endpoints: Sequence[Endpoint]) -> Body:
    """The endpoints of a service, as one EDS resource. None at all is a legal answer: calls then get UNAVAILABLE."""
    hosts = [
        {"endpoint": {"address": address(endpoint.address)}, "load_balancing_weight": endpoint.weight}
        for endpoint in endpoints
    ]
    return {"cluster_name": service, "endpoints": [{"locality": {}, "lb_endpoints": hosts}] if hosts else []}


def address(where: Address, *, mode: int | None = None) -> Body:
    """A place to connect to or to listen at; `mode` is that of a unix socket to listen at."""
    if isinstance(where, TcpAddress):
        return {"socket_address": {"address": where.host, "port_value": where.port}}
    assert isinstance(where, UnixAddress)
    return {"pipe": {"path": where.path} | ({} if mode is None else {"mode": mode})}
