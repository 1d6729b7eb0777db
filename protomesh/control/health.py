"""grpc.health.v1 for a whole mesh."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["Health"]

_Context = grpc.aio.ServicerContext[Any, Any]
_Status = health_pb2.HealthCheckResponse
_list_response: Any = vars(health_pb2)["HealthListResponse"]  # newer than the installed types


class Health(health_pb2_grpc.HealthServicer):
    """Tells whether RPC services answer, by their full names; "" is the mesh.

    Statuses are given as a whole by `show`, so that nobody sees half of a change.
    """

    def __init__(self) -> None:
        self._serving: Mapping[str, bool] = {"": False}
        self._changed = asyncio.Event()
        self._closed = False

    def show(self, serving: Mapping[str, bool]) -> None:
        """Makes these the statuses; a name that is not among them is unknown."""
        if serving != self._serving:
            self._serving = dict(serving)
            self._notify()

    def close(self) -> None:
        """Ends every watch."""
        self._closed = True
        self._notify()

    async def Check(  # noqa: N802 - the contract's name
        self, request: health_pb2.HealthCheckRequest, context: _Context
    ) -> health_pb2.HealthCheckResponse:
        """Tells once; NOT_FOUND if there is no such service."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service}")
        return self._response(request.service)

    async def Watch(  # noqa: N802 - the contract's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: _Context,  # noqa: ARG002 - the signature is gRPC's
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Tells now and whenever it changes; SERVICE_UNKNOWN while there is no such service."""
        last = None
        while not self._closed:
            changed = self._changed
            response = self._response(request.service)
            if response != last:
                yield response
                last = response
            await changed.wait()

    async def List(  # noqa: N802 - the contract's name
        self,
        request: Any,  # noqa: ARG002 - it is empty; types-grpcio-health-checking does not know it yet
        context: _Context,  # noqa: ARG002 - the signature is gRPC's
    ) -> Any:
        """Tells of all services at once."""
        statuses = {name: self._response(name) for name in self._serving}
        return _list_response(statuses=statuses)

    def _response(self, service: str) -> health_pb2.HealthCheckResponse:
        serving = self._serving.get(service)
        if serving is None:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if serving else _Status.NOT_SERVING)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
