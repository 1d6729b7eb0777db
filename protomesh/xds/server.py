"""The aggregated discovery service on gRPC."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.xds.cache import Cache
from protomesh.xds.status import short_reason
from protomesh.xds.stream import Stream
from protomesh.xds.subscription import Request
from protomesh.xds.wire import Wire

__all__ = ["Server"]

_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # a client that comes back lists every version it holds
    ("grpc.so_reuseport", 0),  # two servers must not share a port silently
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10000),  # or Envoy's keepalive is answered by GOAWAY
    ("grpc.keepalive_permit_without_calls", 1),
)

# Seconds after which a client that came back has named every type that it follows: as long as Envoy, silent about
# clusters while one of them warms, waits for what that one lacks.
_ARRIVAL = 15.0

_log = logging.getLogger(__name__)


class Server:
    """Serves what a Cache holds to the proxies that connect, by Delta ADS.

    The state-of-the-world variant answers UNIMPLEMENTED. A client without a snapshot hears nothing until there is one:
    an empty answer would make it drop all that it has.

    Args:
        cache: what to serve.
        pool: holds `envoy/service/discovery/v3/discovery.proto`.
    """

    def __init__(self, cache: Cache, pool: DescriptorPool) -> None:
        self._cache = cache
        self._wire = Wire(pool)
        self._server: grpc.aio.Server | None = None
        self._pending: set[asyncio.Event] = set()  # of each stream: there may be something to do
        self._stopping = False

    async def start(self, address: str) -> int:
        """Begins to serve at `unix:/path` (mode 0600) or `host:port`; port 0 takes a free one.

        Returns:
            The port; for a unix socket a number without meaning.

        Raises:
            RuntimeError: the address is taken or can't be listened on.
        """
        server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=self._wire.read, response_serializer=_as_it_is
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": handler}),)
        )
        port = server.add_insecure_port(address)
        await server.start()
        self._server = server
        if address.startswith("unix:"):
            os.chmod(address.removeprefix("unix:"), 0o600)  # noqa: PTH101 - one system call, not blocking
        return port

    async def stop(self) -> None:
        """Ends every stream and stops listening. Clients go on with what they hold and come back by themselves."""
        if self._server is not None:
            # Streams that end by themselves leave no cancelled handlers behind in the log.
            self._stopping = True
            for pending in self._pending:
                pending.set()
            await self._server.stop(grace=1)
            self._server, self._stopping = None, False

    async def _serve(self, requests: AsyncIterator[Request], context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        stream = Stream(peer=context.peer())
        pending = asyncio.Event()
        self._pending.add(pending)
        reader = asyncio.create_task(self._read(stream, requests, pending))
        arrival = asyncio.get_running_loop().call_later(_ARRIVAL, _arrive, stream, pending)
        try:
            while not (reader.done() or self._stopping):
                await pending.wait()
                pending.clear()
                if stream.node is not None and (snapshot := self._cache.snapshot(stream.node)) is not None:
                    for response in stream.push(snapshot):
                        await context.write(self._wire.write(response))
            if reader.done():
                await reader
        except _NodeMissing:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first request of a stream needs node.id")
        finally:
            arrival.cancel()
            reader.cancel()
            self._pending.discard(pending)
            self._cache.detach(stream)

    async def _read(self, stream: Stream, requests: AsyncIterator[Request], pending: asyncio.Event) -> None:
        try:
            async for request in requests:
                if stream.node is None:
                    if not request.node:
                        raise _NodeMissing
                    _log.debug("node %s connected from %s", request.node, stream.peer)
                stream.receive(request)
                if request.error is not None:
                    _log.warning("node %s refused %s: %s", stream.node, request.type_url, short_reason(request.error))
                self._cache.attach(stream, pending.set)
                pending.set()
        finally:
            pending.set()


class _NodeMissing(Exception):  # noqa: N818 - internal
    """A client did not say who it is."""


def _arrive(stream: Stream, pending: asyncio.Event) -> None:
    stream.arrived()
    pending.set()


def _as_it_is(data: bytes) -> bytes:
    return data
