"""A service of two methods, for tests of what stands before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc

from protomesh.model import Endpoint, UnixAddress


@asynccontextmanager
async def desk(path: str, more: asyncio.Event) -> AsyncIterator[Endpoint]:
    """The service: its stream sends one message, and another when the test lets it."""

    async def sit(_request: bytes, _context: Any) -> bytes:
        return b""

    async def watch(_request: bytes, context: Any) -> None:
        await context.write(b"")
        await more.wait()
        await context.write(b"")

    server = grpc.aio.server()
    handlers: Any = {
        "Sit": grpc.unary_unary_rpc_method_handler(sit),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("desk.v1.DeskService", handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield Endpoint(address=UnixAddress(path))
    finally:
        await server.stop(0)
