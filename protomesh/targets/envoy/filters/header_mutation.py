"""Takes off answers what only the inside of the mesh may see.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_mutation_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body

__all__ = ["header_mutation"]

# Among them x-envoy-ratelimited, by which a service says "a callee is unavailable, and it was tried already": it keeps
# the proxies between from multiplying their retries. A response that ends with its headers has it there, any other in
# its trailers.
_ENVOY: Body = {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}}

header_mutation = HttpFilter(
    name="header_mutation",
    type="envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    faces=frozenset({Face.EDGE}),
    config={
        "mutations": {
            "response_mutations": [_ENVOY, {"remove": "server"}],
            "response_trailers_mutations": [_ENVOY],
        }
    },
)
