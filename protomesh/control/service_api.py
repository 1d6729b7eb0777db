"""What the mesh answers to its own services, behind their egress: the issuer publishes its keys."""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc.aio

from protomesh.keys.v1 import key_set_service_pb2 as keys
from protomesh.keys.v1.key_set_service_pb2_grpc import KeySetServiceServicer, add_KeySetServiceServicer_to_server
from protomesh.model import Layout
from protomesh.proxy import ConfigurationRefused

__all__ = ["InvalidKeySet", "ServiceApi", "check_key_set"]

_Context = grpc.aio.ServicerContext[Any, Any]
_LARGEST = 64 * 1024  # bytes
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518, sections 6.2.2, 6.3.2 and 6.4
_OPTIONS = (("grpc.http2.min_recv_ping_interval_without_data_ms", 10000), ("grpc.keepalive_permit_without_calls", 1))


class InvalidKeySet(ValueError):  # noqa: N818 - it names the set's state
    """What should be a key set can't be one, or must not be published."""


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
        self._server = grpc.aio.server(options=_OPTIONS)
        add_KeySetServiceServicer_to_server(_KeySets(self._publish), self._server)
        self._server.add_insecure_port(f"unix:{self._socket}")
        await self._server.start()
        os.chmod(self._socket, 0o600)  # noqa: PTH101 - one system call

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


def check_key_set(jwks: str) -> None:
    """Looks whether a text is a JSON Web Key Set (RFC 7517, section 5) of public keys that tokens can name.

    Raises:
        InvalidKeySet: it is not. The text names no part of a key but its kid.
    """
    if len(jwks.encode()) > _LARGEST:
        raise InvalidKeySet(f"it has more than {_LARGEST} bytes")
    try:
        found = json.loads(jwks)
    except ValueError:
        raise InvalidKeySet("it is not JSON") from None
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list) or not members:
        raise InvalidKeySet('it has no keys; write {"keys": [...]}')
    seen: set[str] = set()
    for index, key in enumerate(members):
        if not isinstance(key, dict) or not isinstance(key.get("kty"), str):
            raise InvalidKeySet(f"keys[{index}] is no key: it has no kty")
        kid = key.get("kid")
        if not isinstance(kid, str) or not kid:
            raise InvalidKeySet(f"keys[{index}] has no kid, so that no token can name it")
        if kid in seen:
            raise InvalidKeySet(f"two keys have the kid {kid!r}")
        if _PRIVATE & key.keys():
            raise InvalidKeySet(f"the key {kid!r} is a private or symmetric one; publish public keys only")
        seen.add(kid)
