"""Whether a worker serves: grpc.health.v1 on its socket, as Envoy will ask it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
from grpc_health.v1 import health_pb2

from protomesh.model import UnixAddress

__all__ = ["CredentialsOf", "NotSecured", "Secured", "wait_serving"]

_FIRST_POLL = 0.02  # seconds
_LONGEST_POLL = 0.25
_TIMEOUT = 1.0
_WITHOUT_TLS = (
    "it answers without TLS. mesh.yaml says `mtls: true`: it has to serve with the key and certificate in "
    "PROTOMESH_TLS_IDENTITY, and to ask callers for one that PROTOMESH_TLS_AUTHORITIES has signed"
)
_LETS_ANYBODY_IN = (
    "it answers callers that show no certificate. mesh.yaml says `mtls: true`: it has to refuse whoever shows none "
    "that PROTOMESH_TLS_AUTHORITIES has signed"
)


class NotSecured(Exception):  # noqa: N818 - it says what was found
    """A worker does not ask callers who they are, though the mesh has mutual TLS. It will not begin to by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """How the mesh itself comes to a worker that has mutual TLS; key and certificates PEM."""

    name: str  # that the worker's certificate is for
    authorities: bytes
    key: bytes = field(repr=False)
    chain: bytes
    doubted: bool = True  # whether it may let in whom it should refuse; our own runtime does not


CredentialsOf = Callable[[str], Secured]
"""By the name of a service; what is newest at each call."""


async def wait_serving(address: UnixAddress, limit: timedelta, secured: Callable[[], Secured] | None = None) -> None:
    """Asks grpc.health.v1 at `address` until it says SERVING, ever more seldom up to four times a second.

    With `secured` by mutual TLS, and then a caller without a certificate must find nobody.

    Raises:
        TimeoutError: with what the last probe said.
        NotSecured: it answers whom it should refuse.
    """
    deadline = asyncio.get_running_loop().time() + limit.total_seconds()
    pause = _FIRST_POLL
    answer = "it does not listen on its socket"
    while asyncio.get_running_loop().time() < deadline:
        if os.path.exists(address.path):  # noqa: ASYNC240, PTH110 - of a tmpfs
            answer = await _probe(address, secured() if secured is not None else None)
        if not answer:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL)
    raise TimeoutError(f"not SERVING after {limit.total_seconds():g} s: {answer}")


async def _probe(address: UnixAddress, secured: Secured | None) -> str:
    """Empty if it serves, else what is wrong; raises NotSecured."""
    if secured is None:
        return await _ask(address, None, "")
    shown = grpc.ssl_channel_credentials(secured.authorities, secured.key, secured.chain)
    answer = await _ask(address, shown, secured.name)
    if not answer:
        if secured.doubted and not await _is_refused(
            address, grpc.ssl_channel_credentials(secured.authorities), secured.name
        ):
            raise NotSecured(_LETS_ANYBODY_IN)
    elif not await _is_refused(address, None, ""):
        raise NotSecured(_WITHOUT_TLS)
    return answer


async def _is_refused(address: UnixAddress, credentials: grpc.ChannelCredentials | None, name: str) -> bool:
    answer = await _ask(address, credentials, name)
    return any(answer.endswith(code.name) for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))


async def _ask(address: UnixAddress, credentials: grpc.ChannelCredentials | None, name: str) -> str:
    """Empty if it serves, else what is wrong. Has a channel of its own: one that failed waits before it redials."""
    options = [("grpc.enable_http_proxy", 0)]
    if credentials is None:
        # The path of a socket is no authority: a server that reads it as part of a URL, as Node's do, fails.
        channel = grpc.aio.insecure_channel(str(address), options=[*options, ("grpc.default_authority", "mesh")])
    else:
        named = ("grpc.ssl_target_name_override", name)
        channel = grpc.aio.secure_channel(str(address), credentials, options=[*options, named])
    async with channel:
        try:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            response = await check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return "it does not serve grpc.health.v1"
            return f"its health check answers {error.code().name}"
    if response.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"its health is {health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)}"
