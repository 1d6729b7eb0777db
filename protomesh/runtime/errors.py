"""Errors that a service raises on purpose.

grpc.RpcError
└── grpc.aio.AioRpcError
    └── DeclaredError      an error of the contract; the facades' error classes derive from it
Exception
└── StatusError            a standard status with a text, for what the contract doesn't declare
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Self

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata

from protomesh.v1 import options_pb2

__all__ = ["CODES", "DETAILS_KEY", "DeclaredError", "StatusError", "reason_of", "status_of"]

DETAILS_KEY = "grpc-status-details-bin"
CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_TYPES: dict[str, type["DeclaredError"]] = {}  # by type URL
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class DeclaredError(AioRpcError):
    """An error that the contract declares: raised by name in a service, caught by name in its callers.

    The generated facades have one class for each message with the option `(protomesh.v1.error)`. Its fields are
    keyword arguments and attributes; a field that has presence and is not set reads as None. `detail` is the message
    itself. A caught one keeps the call's metadata, as any `AioRpcError` does. A method may raise only those that its
    contract lists under `errors`.
    """

    message_type: ClassVar[type[Message]]

    def __init__(self, /, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        self._set(self.message_type(**given), None)

    @classmethod
    def for_message(cls, message_type: type[Message], module: str) -> type["DeclaredError"]:
        """The error class of a message, always the same one. The facades call it."""
        descriptor = message_type.DESCRIPTOR
        type_url = f"type.googleapis.com/{descriptor.full_name}"
        if type_url not in _TYPES:
            nested = [*descriptor.nested_types_by_name, *descriptor.enum_types_by_name]
            members = {name: getattr(message_type, name) for name in nested if hasattr(message_type, name)}
            members |= {"__module__": module, "__qualname__": descriptor.name, "message_type": message_type}
            _TYPES[type_url] = type(descriptor.name, (cls,), members)
        return _TYPES[type_url]

    @classmethod
    def from_call(cls, error: AioRpcError) -> AioRpcError:
        """The declared error that a failed call carries, or the call's own error.

        Only errors whose class somebody has imported are known: nobody else can catch them.
        """
        for detail in status_of(error).details:
            known = _TYPES.get(detail.type_url)
            if known is not None:
                try:
                    message = known.message_type.FromString(detail.value)
                except DecodeError:
                    continue  # not what the type URL says: the call's own error tells more
                return known.from_detail(message, error)
        return error

    @classmethod
    def from_detail(cls, detail: Message, received: AioRpcError | None = None) -> Self:
        """The error that a message says, with what the failed call that brought it knows besides."""
        made = cls.__new__(cls)
        made._set(detail, received)  # noqa: SLF001 - another constructor of this class
        return made

    def _set(self, detail: Message, received: AioRpcError | None) -> None:
        self._detail = detail
        self._received = received is not None
        if received is None:
            options = detail.DESCRIPTOR.GetOptions().Extensions[options_pb2.error]
            super().__init__(CODES[options.code], Metadata(), Metadata(), _fill(options.message, detail))
        else:
            super().__init__(
                received.code(),
                received.initial_metadata(),
                received.trailing_metadata(),
                received.details(),
                received.debug_error_string(),
            )

    @property
    def detail(self) -> Message:
        """The message that the contract declares."""
        return self._detail

    @property
    def received(self) -> bool:
        """Whether it came from a call, and wasn't raised here."""
        return self._received

    def status(self) -> status_pb2.Status:
        """What travels: code and text, google.rpc.ErrorInfo (AIP-193) and the message itself."""
        descriptor = self._detail.DESCRIPTOR
        info = error_details_pb2.ErrorInfo(reason=reason_of(descriptor.name), domain=descriptor.file.package)
        for field, value in self._detail.ListFields():
            if field.message_type is None and not field.is_repeated:
                info.metadata[field.name] = _text(field, value)
        status = status_pb2.Status(code=self.code().value[0], message=self.details() or "")
        status.details.add().Pack(info)
        status.details.add().Pack(self._detail)
        return status

    def __getattr__(self, name: str) -> Any:
        detail: Message | None = self.__dict__.get("_detail")
        field = None if detail is None else detail.DESCRIPTOR.fields_by_name.get(name)
        if detail is None or field is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if field.has_presence and not detail.HasField(name):
            return None
        return getattr(detail, name)

    def __str__(self) -> str:
        return self.details() or ""

    def __repr__(self) -> str:
        fields = ", ".join(f"{field.name}={value!r}" for field, value in self._detail.ListFields())
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _unpickled, (type(self), self._detail.SerializeToString())


class StatusError(Exception):
    """Ends a call with a standard status, for what is no error of this contract: a bad page token, a stale etag.

    `message` reaches the caller as it is; `details` are messages of google.rpc.error_details or others. Prefer an
    error that the contract declares wherever a caller acts on it.
    """

    def __init__(self, code: grpc.StatusCode, message: str, *details: Message) -> None:
        if code is grpc.StatusCode.OK:
            raise ValueError("OK is no error")
        super().__init__(message)
        self.code = code
        self.details = details

    @classmethod
    def invalid(cls, field: str, description: str) -> Self:
        """INVALID_ARGUMENT for one field of the request, as failed validation is told (google.rpc.BadRequest)."""
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
        return cls(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"{field}: {description}",
            error_details_pb2.BadRequest(field_violations=[violation]),
        )

    def status(self) -> status_pb2.Status:
        """What travels: code, text and details."""
        status = status_pb2.Status(code=self.code.value[0], message=str(self))
        for detail in self.details:
            status.details.add().Pack(detail)
        return status


def status_of(error: AioRpcError) -> status_pb2.Status:
    """The google.rpc.Status of a failed call. One without details has code and text only."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break  # not ours; the plain code and text hold
    return status_pb2.Status(code=error.code().value[0], message=error.details() or "")


def reason_of(name: str) -> str:
    """The reason of ErrorInfo for a message: OUT_OF_STOCK for OutOfStock, HTTP_ERROR for HTTPError (AIP-193)."""
    return _WORD.sub("_", name).upper()


def _fill(template: str, detail: Message) -> str:
    """Puts the fields of a message in the places of a text. What is no field stays as it is written."""
    fields = detail.DESCRIPTOR.fields_by_name

    def value(match: re.Match[str]) -> str:
        field = fields.get(match[1])
        return match[0] if field is None else _text(field, getattr(detail, match[1]))

    return _PLACEHOLDER.sub(value, template)


def _text(field: Any, value: Any) -> str:
    if field.enum_type is not None and not field.is_repeated:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def _unpickled(error: type[DeclaredError], detail: bytes) -> DeclaredError:
    return error.from_detail(error.message_type.FromString(detail))
