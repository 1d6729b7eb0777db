"""Notes what later filters change, or what is only a part of a header: for the access log, and for what Envoy answers.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_to_metadata_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import CALLER, Body

__all__ = ["CALLED_METHOD", "called_method", "header_to_metadata"]


def _note(header: str, key: str, pattern: str) -> Body:
    """Keeps the first group of the pattern; a value that does not match stays as it is."""
    return {
        "header": header,
        "on_header_present": {
            "metadata_namespace": "protomesh",
            "key": key,
            "type": "STRING",
            "regex_value_rewrite": {"pattern": {"regex": pattern}, "substitution": r"\1"},
        },
        "remove": False,
    }


header_to_metadata = HttpFilter(
    name="header_to_metadata",
    type="envoy.extensions.filters.http.header_to_metadata.v3.Config",
    faces=frozenset(Face),
    config={
        "request_rules": [
            _note("content-type", "protocol", r"^application/(grpc-web|grpc).*$"),
            # https://www.w3.org/TR/trace-context/: version, trace ID, parent ID, flags
            _note(CALLER, "caller", r"^(.*)$"),  # it does not go everywhere that calls go
            _note("traceparent", "trace_id", r"^[0-9a-f]{2}-([0-9a-f]{32})-.*$"),
        ]
    },
)

called_method = HttpFilter(
    name="called_method",
    type="envoy.extensions.filters.http.header_to_metadata.v3.Config",
    faces=frozenset({Face.EGRESS}),
    config={"request_rules": [_note(":path", "called_method", r"^/[^/]*/(.*)$")]},
)

CALLED_METHOD = "%DYNAMIC_METADATA(protomesh:called_method)%"
"""The last part of the path, in the texts that Envoy answers a service."""
