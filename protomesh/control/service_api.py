"""What the mesh answers to its own services, behind their egress: the issuer publishes its keys."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NoReturn

import grpc.aio

from protomesh.control.key_set import InvalidKeySet, check_key_set
from protomesh.control.unix_server import unix_server
from protomesh.keys.v1 import key_set_service_pb2 as keys
from protomesh.keys.v1.key_set_service_pb2_grpc import KeySetServiceServicer, add_KeySetServiceServicer_to_server
from protomesh.model import Layout
from protomesh.proxy import ConfigurationRefused

__all__ = ["ServiceApi"]

_Context = grpc.aio.ServicerContext[Any, Any]


class ServiceApi:
    """A server on a unix socket that only Envoy is told of.

    Args:
        layout: Where the socket is.
        publish: Has Envoy verify with a key set, and returns when it does.
    """

    def __init__(self, layout: Layout, publish: Callable[[str], Awaitable[None]]) -> None:
        self._socket = layout.service_api_socket
        self._publish = publish
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Begins to serve, on a socket that only its owner may open."""
        key_sets = _KeySets(self._publish)
        self._server = await unix_server(self._socket, partial(add_KeySetServiceServicer_to_server, key_sets))

    async def stop(self) -> None:
        """Stops listening."""
        if self._server is not None:
            await self._server.stop(grace=1)
            self._server = None


class _KeySets(KeySetServiceServicer):
    def __init__(self, publish: Callable[[str], Awaitable[None]]) -> None:
        self._publish = publish

    async def PublishKeySet(  # noqa: N802 - the contract's name
        self, request: keys.PublishKeySetRequest, context: _Context
    ) -> keys.PublishKeySetResponse:
        try:
            check_key_set(request.jwks)
            await self._publish(request.jwks)
        except InvalidKeySet as invalid:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"jwks: {invalid}")
        except ConfigurationRefused as refused:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"jwks: Envoy refuses it: {refused.reason}")
        except TimeoutError:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, "Envoy has not taken the keys yet; publish them again")
        return keys.PublishKeySetResponse()


async def _abort(context: _Context, code: grpc.StatusCode, message: str) -> NoReturn:
    await context.abort(code, message)
    raise AssertionError  # abort has raised
