"""What a REST call may answer: the method's response, its declared errors, and what the mesh itself refuses with."""

from collections.abc import Iterator, Mapping
from typing import Any

from protomesh.model import Audience, Method, Topology
from protomesh.targets.openapi.contracts import Contracts

__all__ = ["SHARED", "errors"]

_HTTP = {
    1: 499,  # CANCELLED
    2: 500,  # UNKNOWN
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    13: 500,  # INTERNAL
    14: 503,  # UNAVAILABLE
    15: 500,  # DATA_LOSS
    16: 401,  # UNAUTHENTICATED
}
"""HTTP status by google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto."""

_STATUS = {"application/json": {"schema": {"$ref": "#/components/schemas/google.rpc.Status"}}}
_MEANINGS: Mapping[int, str] = {
    400: "The request breaks a rule, is no JSON, or has a parameter that the method does not know.",
    401: "The token is missing, or it is not valid.",
    403: "The token lacks a scope, or the caller may not call the method.",
    404: "There is no such thing, or no such path.",
    408: "The request stopped halfway.",
    409: "Somebody else changed it meanwhile, or it exists already. Read it again and call again.",
    413: "The request is larger than the method takes.",
    429: "Called too often. `retry-after` says for how long to wait, in seconds.",
    431: "The headers are too large.",
    499: "The caller went away.",
    500: "The service failed. Nothing that the caller could do better.",
    501: "The service does not have the method.",
    503: "The service can't be reached now. Call again where a repeat is safe.",
    504: "The deadline was over before the service answered.",
}
_ALWAYS = (400, 404, 408, 413, 431, 500, 501, 503, 504)
_RATE_HEADERS = {
    "retry-after": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "x-ratelimit-limit": {"description": "Calls that are allowed.", "schema": {"type": "string"}},
    "x-ratelimit-remaining": {"description": "Calls that are left.", "schema": {"type": "integer"}},
    "x-ratelimit-reset": {"description": "Seconds until there are more.", "schema": {"type": "integer"}},
}

SHARED: Mapping[str, Any] = {
    str(status): {
        "description": meaning,
        "content": _STATUS,
        **({"headers": _RATE_HEADERS} if status == 429 else {}),  # noqa: PLR2004 - Too Many Requests
    }
    for status, meaning in _MEANINGS.items()
}
"""`components/responses` of the document."""


def errors(topology: Topology, method: Method, contracts: Contracts) -> dict[str, Any]:
    """The errors that a method may answer, by HTTP status. Where it declares some, they are named."""
    declared: dict[int, list[str]] = {}
    for name in method.errors:
        error = topology.errors[name]
        declared.setdefault(_HTTP[error.code], []).append(_written(name, error.message, contracts))
    found = {}
    for status in sorted({*_statuses(method), *declared}):
        if status not in declared:
            found[str(status)] = {"$ref": f"#/components/responses/{status}"}
            continue
        meaning = [_MEANINGS[status]] if status in _MEANINGS else []
        found[str(status)] = dict(SHARED.get(str(status), {"content": _STATUS})) | {
            "description": "\n".join([*meaning, "", "Declared errors, in `details`:", "", *declared[status]]).strip()
        }
    return found


def _statuses(method: Method) -> Iterator[int]:
    yield from _ALWAYS
    if method.audience is Audience.USER:
        yield 401
    if method.audience is Audience.USER or method.clients:
        yield 403
    if method.rate_limit is not None:
        yield 429


def _written(name: str, message: str, contracts: Contracts) -> str:
    comment = contracts.comment(name)
    return f"- `{name}`: {comment or message}"
