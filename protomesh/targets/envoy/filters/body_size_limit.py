"""Refuses a request that is larger than its method takes, before its service has it in memory.

It counts the whole request, so it is for methods that get one message. A stream of messages is bounded per message,
by the service. The filter has no configuration per route, so it is chosen by the method's path; the filter `buffer`,
which has one, does not count a request's last frame.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
"""

from protomesh.model import Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed
from protomesh.targets.envoy.routes import header_input

__all__ = ["body_size_limit", "by_header", "composite", "limited"]

_FRAME = 5  # bytes that gRPC puts before a message


def _config(topology: Topology) -> Body:
    limits = {
        method.path: method.max_request_bytes + _FRAME
        for _, method in topology.methods()
        if not method.client_streaming
    }
    if not limits:  # Envoy refuses an empty map
        return composite()
    actions = {path: {"action": limited(limit)} for path, limit in limits.items()}
    return composite(xds_matcher=by_header(":path", exact_match_map={"map": actions}))


def composite(**matcher: Body) -> Body:
    """A filter that is what a matcher says it is for a call, and nothing for others."""
    config = typed("envoy.extensions.filters.http.composite.v3.Composite")
    return {"extension_config": {"name": "composite", "typed_config": config}, **matcher}


def by_header(name: str, **tree: Body) -> Body:
    """A matcher that looks up the value of a header."""
    return {"matcher_tree": {"input": header_input(name), **tree}}


def limited(limit: int) -> Body:
    """The action of a matcher by which a request may have so many bytes."""
    bound = typed("envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit", max_request_bytes=limit)
    return {
        "name": "composite-action",
        "typed_config": typed(
            "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction",
            typed_config={"name": "body_size_limit", "typed_config": bound},
        ),
    }


body_size_limit = HttpFilter(
    name="body_size_limit",
    type="envoy.extensions.common.matching.v3.ExtensionWithMatcher",
    faces=frozenset({Face.EDGE, Face.EGRESS}),
    discovered=_config,
)
