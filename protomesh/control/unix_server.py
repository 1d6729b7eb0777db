"""How the mesh's own APIs are served."""

import os
from collections.abc import Callable

import grpc.aio

__all__ = ["unix_server"]

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10000),  # or Envoy's keepalive is answered by GOAWAY
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_send_message_length", -1),  # a large contract is one message
)


async def unix_server(path: str, *add: Callable[[grpc.aio.Server], None]) -> grpc.aio.Server:
    """Serves what each `add` adds to the server, on a unix socket that only its owner may open."""
    server = grpc.aio.server(options=_OPTIONS)
    for each in add:
        each(server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    os.chmod(path, 0o600)  # noqa: PTH101 - one system call
    return server
