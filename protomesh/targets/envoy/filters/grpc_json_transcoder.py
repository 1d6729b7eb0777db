"""Makes gRPC of REST, by the google.api.http annotations of the exposed methods.

There are two of them, which differ in how a stream of messages is written. Newline-delimited JSON is the rule: an
array that an error cuts off looks complete. Who accepts text/event-stream gets server-sent events; the edge's routes
switch the one off and the other on.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_json_transcoder_filter
"""

import base64
from collections.abc import Mapping

from protomesh.model import Origin, Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed
from protomesh.targets.envoy.transcoding import descriptor_set

__all__ = ["EVENT_STREAM", "grpc_json_transcoder", "grpc_json_transcoder_sse", "largest_body"]

_TYPE = "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"
_EXPANSION = 4  # JSON takes up to about so many times the bytes of the message
_SMALLEST_BUFFER = 4 * 1024 * 1024


def largest_body(topology: Topology) -> int:
    """How many bytes of JSON a call may have, either way: what the largest message may be."""
    methods = [method for _, method in topology.exposed() if any(binding.enabled for binding in method.rest)]
    return max([_SMALLEST_BUFFER, *(_EXPANSION * method.max_request_bytes for method in methods)])


def _config(topology: Topology, **streams: bool) -> Body:
    rest = [method for _, method in topology.exposed() if any(binding.enabled for binding in method.rest)]
    services = sorted({method.full_name.partition("/")[0] for method in rest})
    if not services:
        return {"proto_descriptor_bin": ""}  # Envoy wants to be told that there are none
    largest = largest_body(topology)
    return {
        "proto_descriptor_bin": base64.b64encode(descriptor_set(topology)).decode("ascii"),
        "services": services,
        # It rewrites :path and the route is looked up again: every policy of a method is in one place.
        "match_incoming_request_route": False,
        "convert_grpc_status": True,
        "query_param_unescape_plus": True,
        # Unknown methods pass: the gateway may have prefix routes behind the contract.
        "request_validation_options": {"reject_unknown_query_parameters": True},
        "print_options": streams,
        "max_request_body_size": largest,
        "max_response_body_size": largest,
    }


def _origins(topology: Topology) -> Mapping[str, Origin]:
    return {binding.template: binding.origin for _, method in topology.exposed() for binding in method.rest} | {
        method.full_name.replace("/", "."): method.origin for _, method in topology.exposed()
    }


grpc_json_transcoder = HttpFilter(
    name="grpc_json_transcoder",
    type=_TYPE,
    faces=frozenset({Face.EDGE}),
    discovered=lambda topology: _config(topology, stream_newline_delimited=True),
    origins=_origins,
)

grpc_json_transcoder_sse = HttpFilter(
    name="grpc_json_transcoder_sse",
    type=_TYPE,
    faces=frozenset({Face.EDGE}),
    discovered=lambda topology: _config(topology, stream_sse_style_delimited=True),
    disabled=True,
    origins=_origins,
)

EVENT_STREAM: Body = {
    grpc_json_transcoder.name: typed("envoy.config.route.v3.FilterConfig", disabled=True),
    grpc_json_transcoder_sse.name: typed("envoy.config.route.v3.FilterConfig", config={}),
}
"""The configuration of a route whose callers get server-sent events."""
