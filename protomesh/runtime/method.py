"""What a contract says about one method, as far as serving and calling it needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import protovalidate
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from protomesh.runtime.durations import parse_duration
from protomesh.v1 import options_pb2

__all__ = ["DEFAULT_MAX_REQUEST_BYTES", "Method", "method_of"]

DEFAULT_MAX_REQUEST_BYTES = 4 * 1024 * 1024  # gRPC's own
Validate = Callable[[Message], list[protovalidate.Violation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method. A contract that doesn't know Protomesh has no deadline and no errors."""

    full_name: str  # shop.orders.v1.OrdersService/PlaceOrder
    timeout: float | None = None  # seconds
    errors: frozenset[str] = frozenset()  # full names that the listed errors may mean
    validate: Validate | None = None  # None if no rule can apply to the request
    max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    resumable: bool = False  # its stream can be ended at any time: the caller goes on with another one


@cache
def method_of(path: str) -> Method:
    """Reads the descriptor of a method, named as its :path is: /package.Service/Method.

    A method whose contract isn't loaded, as with hand-made stubs, has only its name.
    """
    full_name = path.removeprefix("/")
    try:
        method: Any = descriptor_pool.Default().FindMethodByName(full_name.replace("/", "."))
    except KeyError:
        return Method(full_name=full_name)
    service = method.containing_service.GetOptions().Extensions[options_pb2.service]
    policy = method.GetOptions().Extensions[options_pb2.method]
    streaming = method.client_streaming or method.server_streaming
    written = policy.timeout or ("" if streaming else service.timeout)
    package = method.containing_service.file.package
    return Method(
        full_name=full_name,
        timeout=parse_duration(written).total_seconds() if written else None,
        errors=frozenset(full for name in policy.errors for full in _candidates(name, package)),
        validate=_validator().collect_violations if _has_rules(method.input_type, set()) else None,
        max_request_bytes=policy.max_request_bytes or DEFAULT_MAX_REQUEST_BYTES,
        resumable=method.server_streaming
        and (method.client_streaming or "resume_token" in method.input_type.fields_by_name),
    )


@cache
def _validator() -> protovalidate.Validator:
    return protovalidate.Validator()


def _candidates(name: str, package: str) -> Iterator[str]:
    """The full names that a name may mean in a package: from the innermost scope out, as protobuf resolves names."""
    scopes = package.split(".") if package else []
    for depth in range(len(scopes), -1, -1):
        yield ".".join((*scopes[:depth], name.removeprefix(".")))


def _has_rules(message: Any, seen: set[str]) -> bool:
    """Whether buf.validate can refuse anything in a message or what it contains."""
    if message.full_name in seen:
        return False
    seen.add(message.full_name)
    scopes = [message, *message.oneofs, *message.fields]
    if any(extension.startswith("buf.validate.") for scope in scopes for extension in _extensions(scope)):
        return True
    inner = (field.message_type for field in message.fields if field.message_type is not None)
    return any(_has_rules(message_type, seen) for message_type in inner)


def _extensions(descriptor: Any) -> Iterator[str]:
    return (field.full_name for field, _ in descriptor.GetOptions().ListFields() if field.is_extension)
