"""Takes off answers what only the inside of the mesh may see.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_mutation_filter
"""

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter

__all__ = ["header_mutation"]

# "A callee is unavailable, and it was tried already": keeps the proxies between from multiplying their retries. A
# response that ends with its headers has it there, any other in its trailers.
_MARK = {"remove": "x-envoy-ratelimited"}

header_mutation = HttpFilter(
    name="header_mutation",
    type="envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    faces=frozenset({Face.EDGE}),
    config={
        "mutations": {
            "response_mutations": [_MARK, {"remove": "server"}],
            "response_trailers_mutations": [_MARK],
        }
    },
)
