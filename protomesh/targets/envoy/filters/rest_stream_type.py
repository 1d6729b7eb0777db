"""Says of a stream of messages by REST what it is: application/x-ndjson, where the transcoder says application/json.

An instance of Envoy's header_mutation. The route that a REST call comes in by switches it on; what it writes is noted
on the route of the method that the call becomes.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_mutation_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["NDJSON", "REST", "rest_stream_type"]

rest_stream_type = HttpFilter(
    name="rest_stream_type",
    type="envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    faces=frozenset({Face.EDGE}),
)

# An error before the first message is one google.rpc.Status, in plain JSON. Without the metadata nothing is written.
_TYPE = "response.headers[':status'] == '200' ? xds.route_metadata.filter_metadata['protomesh.rest'].content_type : ''"

NDJSON: Body = {"filter_metadata": {"protomesh.rest": {"content_type": "application/x-ndjson"}}}
"""The metadata of the route of a method that answers with a stream."""

REST: Body = {
    rest_stream_type.name: typed(
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        mutations={
            "response_mutations": [
                {
                    "append": {
                        "header": {"key": "content-type", "value": f"%CEL({_TYPE})%"},
                        "append_action": "OVERWRITE_IF_EXISTS",
                    }
                }
            ]
        },
    )
}
"""The configuration of a route by which REST calls come in."""
