"""The gRPC server of a worker: its servicers, wrapped, and health."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.drain import GRACE, Drain
from protomesh.runtime.handler import Handler, wrap
from protomesh.runtime.health import Health
from protomesh.runtime.method import DEFAULT_MAX_REQUEST_BYTES, method_of

__all__ = ["CannotListen", "Server"]

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.so_reuseport", 0),  # two servers on one port are a mistake, not a load balancer
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # proxies ping idle connections
    ("grpc.keepalive_permit_without_calls", 1),
    # What the edge takes, 32 KiB, with what REST and tokens become on the way. gRPC's own limit is 8 KiB: above it, it
    # refuses some calls and lists their metadata in the answer.
    ("grpc.max_metadata_size", 96 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
    # What a stream may send before its handler reads. By default gRPC measures the line, finds a socket of the same
    # machine as fast as any, and keeps 4 MiB of each stream in the worker. A message is never too large for it.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 * 1024),
)
_ONLY_OWNER = 0o177  # leaves mode 0600
_SERVING = health_pb2.HealthCheckResponse.SERVING
_AFTER_GRACE = timedelta(seconds=5)  # for what handlers do detached


class CannotListen(CannotStart):
    """The address of a worker can't be had."""


class Server:
    """Serves servicers on one address until it is drained.

    Args:
        servicers: Objects of classes that derive from generated servicers. One object may serve several services.
        deadlines: Whether the contract's deadlines hold; False while somebody looks at the worker with a debugger.

    Raises:
        TypeError: a servicer serves nothing, lacks a method of its contract, or has one of the wrong kind; all that is
            wrong is in the message.
    """

    def __init__(self, servicers: Iterable[object], *, deadlines: bool = True) -> None:
        self._drain = Drain()
        services = _handlers(servicers)
        methods = {name: method_of(name) for handlers in services.values() for name in handlers}
        largest = max((m.max_request_bytes for m in methods.values()), default=DEFAULT_MAX_REQUEST_BYTES)
        self._server = aio.server(options=[*_OPTIONS, ("grpc.max_receive_message_length", largest)])
        for service, handlers in services.items():
            wrapped = {}
            for path, handler in handlers.items():
                method = methods[path] if deadlines else replace(methods[path], timeout=None)
                wrapped[path.rpartition("/")[2]] = wrap(handler, method, self._drain)
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))
            # Not registered by method: grpc.aio has a future for each of those and waits for all of them at every call.
        self._health = Health(self._drain)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.services = tuple(services)

    def listen(self, address: str, credentials: grpc.ServerCredentials | None = None) -> str:
        """Listens on `unix:/path` or `host:port`, and returns the address with the port that it got.

        Callers can connect from here on and are answered after `start`. The socket of a unix address is its owner's
        only (mode 0600). With `credentials` it speaks TLS.

        Raises:
            CannotListen: something else listens there, or it is no address of this machine.
        """
        umask = os.umask(_ONLY_OWNER) if address.startswith("unix:") else None
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise CannotListen(f"can't listen on {address}: {error}") from None
        finally:
            if umask is not None:
                os.umask(umask)
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    async def start(self) -> None:
        """Answers from here on: every service is SERVING."""
        for service in self.services:
            await self._health.set(service, _SERVING)
        await self._server.start()

    async def drain(self, grace: timedelta = GRACE) -> None:
        """Ends the server: health turns to NOT_SERVING, streams end, calls in progress may finish within `grace`.

        Returns when nothing runs any more; what handlers do detached gets a little longer.
        """
        await self._health.enter_graceful_shutdown()
        self._drain.begin(grace)
        await self._server.stop(grace.total_seconds())
        if unfinished := self._drain.unfinished():
            _, unfinished = await asyncio.wait(unfinished, timeout=_AFTER_GRACE.total_seconds())
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)


class _Recorder:
    """Takes what a generated `add_XServicer_to_server` registers, in the place of a server."""

    def __init__(self) -> None:
        self.services: dict[str, Mapping[str, Handler]] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Says the same as the registered ones."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Keeps the handlers of one service."""
        self.services[service] = handlers


def _handlers(servicers: Iterable[object]) -> dict[str, dict[str, Handler]]:
    """The handlers of all servicers by service and path."""
    wrong: list[str] = []
    found: dict[str, dict[str, Handler]] = {}
    for servicer in servicers:
        bases = [base for base in type(servicer).__mro__ if _is_generated(base)]
        if not bases:
            wrong.append(f"{type(servicer).__name__} derives from no generated servicer")
        for base in bases:
            missing = [
                name
                for name, function in vars(base).items()
                if not name.startswith("_") and getattr(type(servicer), name) is function
            ]
            if missing:
                wrong.append(f"{type(servicer).__name__} lacks {', '.join(missing)} of {base.__name__}")
                continue
            recorder = _Recorder()
            getattr(import_module(base.__module__), f"add_{base.__name__}_to_server")(servicer, recorder)
            for service, handlers in recorder.services.items():
                if service in found:
                    wrong.append(f"{service} is served twice")
                found[service] = {f"/{service}/{name}": handler for name, handler in handlers.items()}
    if wrong:
        raise TypeError("; ".join(wrong))
    return found


def _is_generated(base: type) -> bool:
    return base.__name__.endswith("Servicer") and base.__module__.endswith("_pb2_grpc")
