"""Refuses a request that is larger than its method takes, before its service has it in memory.

It counts the whole request, so it is for methods that get one message. A stream of messages is bounded per message,
by the service. The filter has no configuration per route, so it is chosen by the method's path; the filter `buffer`,
which has one, does not count a request's last frame.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
"""

from protomesh.model import Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["body_size_limit", "limited"]

_FRAME = 5  # bytes that gRPC puts before a message


def _config(topology: Topology) -> Body:
    limits = {
        method.path: method.max_request_bytes + _FRAME
        for _, method in topology.methods()
        if not method.client_streaming
    }
    body: Body = {
        "extension_config": {
            "name": "composite",
            "typed_config": typed("envoy.extensions.filters.http.composite.v3.Composite"),
        }
    }
    if limits:  # Envoy refuses an empty map
        body["xds_matcher"] = {
            "matcher_tree": {
                "input": {
                    "name": "envoy.matching.inputs.request_headers",
                    "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path"),
                },
                "exact_match_map": {"map": {path: {"action": limited(limit)} for path, limit in limits.items()}},
            }
        }
    return body


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
