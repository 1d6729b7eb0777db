"""Wraps a servicer's method, once, when it is registered: what holds for every call costs no interceptor.

Around each handler: the contract's deadline, its rules for requests, its errors, and the end of streams on drain.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import BaseError, ServicerContext

from protomesh.runtime.context import Context
from protomesh.runtime.current import current
from protomesh.runtime.deadlines import Deadlines
from protomesh.runtime.drain import Drain
from protomesh.runtime.errors import StatusError
from protomesh.runtime.interruptible import Interruptible, Interruption
from protomesh.runtime.method import Method
from protomesh.runtime.status import DRAINED, LATE, Failure, InvalidRequest, failure_of

__all__ = ["Handler", "wrap"]

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # quoted: generic for type checkers only
_Call = ServicerContext[Any, Any]
_Parse = Callable[[bytes], Any]
# Starts the handler: from the request as gRPC has it and the context, to the answer as gRPC wants it.
_Start = Callable[[Any, Context, _Call], Coroutine[Any, Any, bytes | None]]

_KINDS: dict[tuple[bool, bool], tuple[str, Callable[[Any], Handler]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


class _CallerGone(Exception):  # noqa: N818 - it says what happened
    """A message could not be sent."""

    def __init__(self, error: BaseError) -> None:
        super().__init__()
        self.error = error


def wrap(handler: Handler, method: Method, drain: Drain) -> Handler:
    """The handler that gRPC gets in place of a servicer's own.

    It takes and gives bytes: a message that can't be read or written is then one more failure of this border.

    Raises:
        TypeError: the servicer's method is not `async`, or is no generator where it sends a stream.
    """
    attribute, make = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
    inner = getattr(handler, attribute)
    parse = _parser(handler, method)
    serialize: Callable[[Any], bytes] = handler.response_serializer or bytes
    read = _stream_parser(parse) if handler.request_streaming else parse

    async def answer(request: Any, context: Context, _call: _Call) -> bytes:
        return serialize(await inner(read(request), context))

    async def send(request: Any, context: Context, call: _Call) -> None:
        # Closed here, so that a handler's cleanup runs before the call ends and not when the garbage is collected.
        async with aclosing(inner(read(request), context)) as messages:
            async for message in messages:
                data = serialize(message)
                try:
                    await call.write(data)
                except BaseError as error:
                    raise _CallerGone(error) from error

    if handler.response_streaming:
        if not inspect.isasyncgenfunction(inner):
            raise TypeError(f"{method.full_name} sends a stream: its handler has to be `async def` and to `yield`")
        return make(_guarded(send, method, drain, stream=True))
    if not inspect.iscoroutinefunction(inner):
        raise TypeError(f"{method.full_name} has one answer: its handler has to be `async def` and to `return`")
    return make(_guarded(answer, method, drain, stream=False))


def _guarded(start: _Start, method: Method, drain: Drain, *, stream: bool) -> Callable[[Any, _Call], Awaitable[Any]]:
    deadlines = Deadlines()
    resumable = method.resumable if stream else None

    async def handle(request: Any, call: _Call) -> bytes | None:
        context = Context(call, method, drain, asyncio.get_running_loop())
        current.set(context)
        if drain.begun and resumable:
            await _abort(call, context, DRAINED)
        work = Interruptible.here()
        drain.enter(work, resumable=resumable)
        if context.capped and context.loop_deadline is not None:
            deadlines.add(work, context.loop_deadline)
        try:
            try:
                result = await start(request, context, call)
            finally:
                deadlines.discard(work)
                drain.leave(work)
                work.end()
        except _CallerGone as gone:
            raise gone.error from None  # gRPC knows what to make of its own
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - nothing may pass this border
            await _end(error, work.interruption, call, context, method)
        if stream and work.interruption is Interruption.DRAIN:  # it caught its cancellation; the caller must know
            await _abort(call, context, DRAINED)
        return result

    return handle


async def _end(
    error: Exception | asyncio.CancelledError,
    interruption: Interruption | None,
    call: _Call,
    context: Context,
    method: Method,
) -> NoReturn:
    """Ends a call whose handler gave no answer: this is the border that no exception's text may cross."""
    if interruption is Interruption.CALLER_GONE:
        if isinstance(error, Exception):
            failure_of(error, method)  # nobody is there to be told, but the log is
        raise asyncio.CancelledError
    if interruption is Interruption.DRAIN:
        await _abort(call, context, DRAINED)
    if interruption is Interruption.DEADLINE:
        await _abort(call, context, LATE)
    await _abort(call, context, failure_of(error, method))


async def _abort(call: _Call, context: Context, failure: Failure) -> NoReturn:
    await call.abort(failure.code, failure.message, (*context.trailing_metadata, *failure.trailing))


def _parser(handler: Handler, method: Method) -> _Parse:
    deserialize: Callable[[bytes], Any] = handler.request_deserializer or bytes
    validate = method.validate
    limit = method.max_request_bytes

    def parse(data: bytes) -> Any:
        if len(data) > limit:  # gRPC has one limit for a whole server, and Envoy's counts a whole stream
            raise StatusError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"a message has {len(data)} bytes; {limit} are the most here"
            )
        try:
            message = deserialize(data)
        except DecodeError:
            # https://grpc.github.io/grpc/core/md_doc_statuscodes.html: "Failure parsing request proto"
            raise StatusError(grpc.StatusCode.INTERNAL, "the request is no message of this method") from None
        if validate is not None and (violations := validate(message)):
            raise InvalidRequest(violations)
        return message

    return parse


def _stream_parser(parse: _Parse) -> Callable[[AsyncIterator[bytes]], AsyncGenerator[Any]]:
    async def read(messages: AsyncIterator[bytes]) -> AsyncGenerator[Any]:
        async for data in messages:
            yield parse(data)

    return read
