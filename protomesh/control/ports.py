"""Whether the gateways' ports are free, and who has them if not."""

import errno
import os
import socket

import psutil

from protomesh.model import Gateway, TcpAddress

__all__ = ["PortTaken", "check_ports"]

_FIRST_FREE_PORT = 1024


class PortTaken(Exception):  # noqa: N818 - it says what happened
    """A gateway can't listen; the text says who does, and which key to change."""


def check_ports(gateways: tuple[Gateway, ...]) -> None:
    """Tries to listen where each gateway will. Envoy would only say so after everything else has started.

    Raises:
        PortTaken: some can't; all of them are named, one a line.
    """
    problems = [problem for gateway in gateways if (problem := _problem(gateway))]
    if problems:
        raise PortTaken("\n".join(problems))


def _problem(gateway: Gateway) -> str:
    address, key = gateway.listen, f"change `listen` at {gateway.origin}"
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Envoy: a closed connection is no obstacle
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"{address} is taken by {_holder(address)}. Stop it, or {key}."
            if error.errno == errno.EACCES and address.port < _FIRST_FREE_PORT:
                return f"{address} needs root: {key} to a port from {_FIRST_FREE_PORT} on."
            return f"{address} can't be listened on ({os.strerror(error.errno or 0)}): {key}."
    return ""


def _holder(address: TcpAddress) -> str:
    """Who listens there. Only one's own processes can be seen without root."""
    for process in psutil.process_iter():
        try:
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == address.port:
                    return f"{process.name()} (PID {process.pid})"
        except (psutil.Error, OSError):
            continue
    return "another process, which is not yours to see"
