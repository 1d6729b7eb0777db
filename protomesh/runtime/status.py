"""The border between exceptions and statuses: what a caller is told about a handler that failed."""

import asyncio
import secrets
from collections.abc import Iterable

import grpc
import protovalidate
import structlog
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError

from protomesh.runtime.current import Metadatum
from protomesh.runtime.errors import CODES, DETAILS_KEY, DeclaredError, StatusError
from protomesh.runtime.method import Method

__all__ = ["DRAINED", "LATE", "Failure", "InvalidRequest", "failure_of"]

_log = structlog.get_logger("protomesh.runtime")
# Headers have a limit (8 KiB in gRPC): of a request with hundreds of faults, the first ones are told.
_MAX_VIOLATIONS = 16
# Envoy doesn't repeat a call whose answer carries it: retries would multiply with every hop.
_NOT_AGAIN: Metadatum = ("x-envoy-ratelimited", "true")
_PASSED_UP = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class InvalidRequest(StatusError):  # noqa: N818 - it names the request's state
    """A request that its contract's rules refuse; google.rpc.BadRequest names each field."""

    def __init__(self, violations: Iterable[protovalidate.Violation]) -> None:
        bad = error_details_pb2.BadRequest()
        for violation in list(violations)[:_MAX_VIOLATIONS]:
            bad.field_violations.add(
                field=_path(violation), description=violation.proto.message, reason=violation.proto.rule_id
            )
        text = "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in bad.field_violations)
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, text, bad)


class Failure:
    """How a call ends that has no answer: code, text and trailing metadata."""

    __slots__ = ("code", "message", "trailing")

    def __init__(self, code: grpc.StatusCode, message: str, trailing: tuple[Metadatum, ...] = ()) -> None:
        self.code = code
        self.message = message
        self.trailing = trailing

    @classmethod
    def of(cls, status: status_pb2.Status) -> "Failure":
        """A status with details."""
        return cls(CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))


def _drained() -> Failure:
    status = status_pb2.Status(
        code=grpc.StatusCode.UNAVAILABLE.value[0], message="the worker is going away; call again"
    )
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="STREAM_DRAINED", domain="protomesh"))
    return Failure.of(status)


# A stream that a draining worker ended: the caller goes on with a new one.
DRAINED = _drained()
LATE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline of the contract has passed")


def failure_of(error: Exception | asyncio.CancelledError, method: Method) -> Failure:
    """What the caller is told. Only what the contract declares, or a service says on purpose, has a text of its own."""
    match error:
        case StatusError():
            return Failure.of(error.status())
        case DeclaredError() if error.detail.DESCRIPTOR.full_name in method.errors:
            return Failure.of(error.status())
        case AioRpcError() if error.code() in _PASSED_UP:
            return _passed_up(error, method)
        case DeclaredError() if not error.received:
            name = error.detail.DESCRIPTOR.full_name
            line = f'option (protomesh.v1.method) = {{errors: "{name}"}};'
            return _unexpected(error, "an error that the method does not list", add_to_the_contract=line)
        case AioRpcError():
            return _unexpected(error, "an error of a callee was not handled", code=error.code().name)
    return _unexpected(error, "the handler failed")


def _passed_up(error: AioRpcError, method: Method) -> Failure:
    code = error.code()
    _log.warning("a callee did not answer", code=code.name, details=error.details())
    trailing = (_NOT_AGAIN,) if code is grpc.StatusCode.UNAVAILABLE else ()
    return Failure(code, f"{method.full_name} needs a service that did not answer", trailing)


def _unexpected(error: BaseException, event: str, **fields: str) -> Failure:
    error_id = secrets.token_hex(6)
    _log.error(event, error_id=error_id, exc_info=error, **fields)
    return Failure(grpc.StatusCode.INTERNAL, f"internal error {error_id}; the service's log has more under this id")


def _path(violation: protovalidate.Violation) -> str:
    """Where the fault is: lines[2].quantity, labels["a"]; empty if it is the message as a whole."""
    path = ""
    field = violation.proto.field
    for element in field.elements if field else ():
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        if subscript is not None:
            key = subscript.value
            path += f'["{key}"]' if isinstance(key, str) else f"[{str(key).lower()}]"
    return path
