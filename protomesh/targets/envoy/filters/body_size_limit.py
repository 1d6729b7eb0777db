"""Refuses a request that is larger than its method takes, before its service has it in memory.

It counts the whole request, so it is for methods that get one message. A stream of messages is bounded per message,
by the service. https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/body_size_limit/v3/
"""

from protomesh.model import Method
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["body_size_limit"]

_TYPE = "envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit"
_FRAME = 5  # bytes that gRPC puts before a message


def _limit(method: Method) -> Body | None:
    if method.client_streaming:
        return None
    return typed(_TYPE, max_request_bytes=method.max_request_bytes + _FRAME)


body_size_limit = HttpFilter(
    name="body_size_limit",
    type=_TYPE,
    faces=frozenset({Face.EDGE, Face.EGRESS}),
    per_method=_limit,
)
