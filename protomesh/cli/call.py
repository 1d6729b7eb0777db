"""`protomesh call`: calls a method of the running mesh."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # error_details: json_format finds them in the default pool

from protomesh.cli.connection import not_running
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.methods import resolve
from protomesh.cli.project import Project
from protomesh.cli.reflection import Reflection
from protomesh.control.channel import unix_channel
from protomesh.runtime.current import Metadatum
from protomesh.runtime.identity import IdentityFiles
from protomesh.runtime.user import User

__all__ = ["call", "on_behalf_of", "read_header"]

_ = error_details_pb2

_STATUS_DETAILS = "grpc-status-details-bin"


def call(
    directory: Path | None,
    method: str,
    request: str,
    *,
    as_service: str | None,
    metadata: Sequence[Metadatum],
    timeout: float | None,
) -> None:
    """Prints the response, each message of a stream on a line of its own.

    Goes through the operator's socket, where every method is; with `as_service` through that service's egress, where
    only what its `calls` name is. `metadata` goes along.

    Raises:
        Failure: the call failed (64 + its status code), nothing runs, or the input is wrong.
    """
    project = Project.find(directory)
    try:
        asyncio.run(_call(project, method, request, metadata, as_service, timeout))
    except grpc.aio.AioRpcError as error:
        raise Failure(_explain(error), ExitCode.CALL_STATUS + error.code().value[0]) from error


async def _call(
    project: Project,
    name: str,
    text: str,
    metadata: Sequence[Metadatum],
    as_service: str | None,
    limit: float | None,
) -> None:
    if not Path(project.layout.operator_socket).exists():  # noqa: ASYNC240 - nothing else runs in this process
        raise not_running(project)
    egress = project.layout.egress_socket(as_service) if as_service is not None else ""
    if egress and not Path(egress).exists():  # noqa: ASYNC240
        raise Failure(f"the mesh has no service that calls from {egress}. See `protomesh status`.", ExitCode.INVALID)
    async with unix_channel(project.layout.operator_socket) as operator:
        reflection = Reflection(operator)
        try:
            methods = await reflection.methods()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise not_running(project) from error
            raise
        full_name = resolve(name, methods)
        method = reflection.method(full_name)
        requests = _requests(method, text, reflection)
        if as_service is None:
            await _send(operator, full_name, method, requests, metadata, limit, reflection)
            return
        async with _as_service(project, as_service, egress) as channel:
            await _send(channel, full_name, method, requests, metadata, limit, reflection)


def _as_service(project: Project, service: str, egress: str) -> grpc.aio.Channel:
    """A channel to the service's egress. With mutual TLS it shows the service's certificate: we may read its key."""
    identity = Path(project.layout.identity_file(service))
    if not identity.exists():
        return unix_channel(egress)
    files = IdentityFiles(identity, Path(project.layout.authorities_file))
    return unix_channel(egress, credentials=files.read().channel_credentials())


async def _send(
    channel: grpc.aio.Channel,
    full_name: str,
    method: MethodDescriptor,
    requests: Iterator[Message],
    metadata: Sequence[Metadatum],
    limit: float | None,
    reflection: Reflection,
) -> None:
    def show(response: Message) -> None:
        indent = None if method.server_streaming else 2
        print(json_format.MessageToJson(response, descriptor_pool=reflection.pool, indent=indent), flush=True)

    response_class = message_factory.GetMessageClass(method.output_type)
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    callable_ = getattr(channel, kind)(
        f"/{full_name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response_class.FromString,
    )
    argument = _paced(requests) if method.client_streaming else _only(requests)
    outcome = callable_(argument, metadata=metadata, timeout=limit)
    if method.server_streaming:
        async for response in outcome:
            show(response)
    else:
        show(await outcome)


async def _paced(requests: Iterator[Message]) -> AsyncIterator[Message]:
    """Reads the next request while answers arrive: stdin may be a person."""
    while (message := await asyncio.to_thread(next, requests, None)) is not None:
        yield message


def _only(requests: Iterator[Message]) -> Message:
    first = next(requests, None)
    if first is None or next(requests, None) is not None:
        raise Failure("this method takes exactly one request.", ExitCode.INVALID)
    return first


def _requests(method: MethodDescriptor, text: str, reflection: Reflection) -> Iterator[Message]:
    """The requests: one JSON value, or several after each other."""
    request_class = message_factory.GetMessageClass(method.input_type)
    for value in _stdin_values() if text == "-" else _values(text):
        try:
            yield json_format.ParseDict(value, request_class(), descriptor_pool=reflection.pool)
        except json_format.ParseError as error:
            raise Failure(f"the request is no {method.input_type.full_name}: {error}", ExitCode.INVALID) from error


def _stdin_values() -> Iterator[Any]:
    """Values from stdin, each as soon as it is whole."""
    pending = ""
    for line in sys.stdin:
        pending += line
        try:
            values = list(_values(pending))
        except Failure:
            continue  # it goes on in the next line
        yield from values
        pending = ""
    yield from _values(pending)


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except ValueError as error:
            raise Failure(f"the request is not JSON: {error}", ExitCode.INVALID) from error
        yield value


def on_behalf_of(user: str | None, scopes: list[str]) -> list[Metadatum]:
    """The metadata by which a service hears for whom it works. The operator needs no token to say so.

    Raises:
        Failure: there are scopes and nobody who has them.
    """
    if user is None:
        if scopes:
            raise Failure("--scope is of a user: add --user SUBJECT.", ExitCode.INVALID)
        return []
    return list(User(user, frozenset(scopes)).metadata())


def read_header(text: str) -> Metadatum:
    """Metadata as a person writes it, KEY:VALUE.

    Raises:
        Failure: it is not written so.
    """
    key, colon, value = text.partition(":")
    key = key.strip().lower()
    if not colon or not key:
        raise Failure(f"{text!r} is no header: write KEY:VALUE.", ExitCode.INVALID)
    value = value.strip()
    return (key, value.encode()) if key.endswith("-bin") else (key, value)


def _explain(error: grpc.aio.AioRpcError) -> str:
    """Code, message and details of a failed call, each detail as JSON."""
    lines = [f"{error.code().name}: {error.details()}"]
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS:
            lines += [f"  {_detail(detail)}" for detail in status_pb2.Status.FromString(value).details]
    return "\n".join(lines)


def _detail(detail: any_pb2.Any) -> str:
    try:
        return json_format.MessageToJson(detail, indent=None)
    except TypeError:  # a type of the services' own, which this process does not know
        return json.dumps({"@type": detail.type_url})
