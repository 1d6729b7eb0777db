"""What Envoy itself answers, as google.rpc.Status: to REST callers in JSON, to gRPC callers as a status.

https://google.aip.dev/193, https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/local_reply
"""

from protomesh.targets.envoy.names import Body, typed

__all__ = ["local_reply_config"]

_NOT_FOUND = 404
_UNKNOWN = 2
_DEADLINE_EXCEEDED = 4
_RESOURCE_EXHAUSTED = 8

_CODES = {
    400: 3,  # INVALID_ARGUMENT
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    _NOT_FOUND: 5,  # NOT_FOUND
    405: 12,  # UNIMPLEMENTED
    408: _DEADLINE_EXCEEDED,
    413: _RESOURCE_EXHAUSTED,
    415: 3,  # INVALID_ARGUMENT
    429: _RESOURCE_EXHAUSTED,
    431: _RESOURCE_EXHAUSTED,
    499: 1,  # CANCELLED
    500: 13,  # INTERNAL
    501: 12,  # UNIMPLEMENTED
    502: 14,  # UNAVAILABLE
    503: 14,  # UNAVAILABLE
    504: _DEADLINE_EXCEEDED,
}
"""google.rpc.Code by HTTP status: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto."""


def local_reply_config(*, rest: bool) -> Body:
    """The first mapper that fits an answer is used, and no other. `rest` is whether REST callers come by."""
    grpc = [
        # The safety net: 504 alone would be UNAVAILABLE, which callers take as an invitation to call again.
        _grpc_status({"response_flag_filter": {"flags": ["UT", "SI"]}}, _DEADLINE_EXCEEDED, "deadline exceeded"),
        _grpc_status(_status(413), _RESOURCE_EXHAUSTED, "the request is larger than the method takes"),
        _grpc_status(_status(429), _RESOURCE_EXHAUSTED, "called too often"),
        {"filter": _and(_status(_NOT_FOUND), _is_grpc()), "body": {"inline_string": "no such method"}},
    ]
    json = [
        _json(_status(_NOT_FOUND), _CODES[_NOT_FOUND], "nothing answers at this path"),
        # Refused before any route is asked, without a word.
        _json(_escaped_slash(), _CODES[400], "a path may not have an escaped slash in it, %%2F or %%5C"),
        *(_json(_status(status), code) for status, code in _CODES.items() if status != _NOT_FOUND),
        _json(_status(400, "GE"), _UNKNOWN),
    ]
    return {"mappers": [*grpc, *json] if rest else grpc}


def _status(status: int, op: str = "EQ") -> Body:
    value = {"default_value": status, "runtime_key": f"protomesh.local_reply.{status}"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _grpc_status(condition: Body, code: int, message: str) -> Body:
    """Answers as a gRPC server would: HTTP 200, no body, the status in headers.

    By itself Envoy answers gRPC-Web with an HTTP status, from which its filter then concludes a code; there is no
    HTTP status from which it concludes these.
    """
    headers = {"content-type": "application/grpc", "grpc-status": str(code), "grpc-message": message}
    return {
        "filter": _and(condition, _is_grpc()),
        "status_code": 200,
        "body": {"inline_string": ""},
        "headers_to_add": [_header(name, value) for name, value in headers.items()],
    }


def _header(name: str, value: str) -> Body:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _json(condition: Body, code: int, message: str = "%LOCAL_REPLY_BODY%") -> Body:
    return {
        "filter": _and(condition, _is_rest()),
        "body_format_override": {
            "json_format": {"code": code, "message": message},
            "content_type": "application/json",
        },
        # As in what services answer by REST. The access log knows no other way to tell: of 504 it would conclude
        # UNAVAILABLE.
        "headers_to_add": [_header("grpc-status", str(code))],
    }


def _and(*filters: Body) -> Body:
    return {"and_filter": {"filters": list(filters)}}


def _or(*filters: Body) -> Body:
    return {"or_filter": {"filters": list(filters)}}


def _escaped_slash() -> Body:
    # The path itself has no escaped slash any more by then.
    expression = "response.code_details == 'path_normalization_failed'"
    cel = typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=expression)
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": cel}}


def _content_type(*, grpc: bool) -> Body:
    header = {
        "name": "content-type",
        "string_match": {"prefix": "application/grpc"},
        "invert_match": not grpc,
        "treat_missing_header_as_empty": True,
    }
    return {"header_filter": {"header": header}}


def _transcoded(*, present: bool) -> Body:
    # The transcoder leaves it on what it made into gRPC; callers can't send it, the edge takes it off.
    header = {"name": "x-envoy-original-path", "present_match": present}
    return {"header_filter": {"header": header}}


def _is_grpc() -> Body:
    return _and(_content_type(grpc=True), _transcoded(present=False))


def _is_rest() -> Body:
    return _or(_content_type(grpc=False), _transcoded(present=True))
