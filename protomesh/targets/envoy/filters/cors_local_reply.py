"""Lets web pages read also what Envoy refuses before any route that the cors filter knows.

That filter looks at routes to a cluster and at nothing else: direct responses, and what is no valid request, pass it
by. An instance of Envoy's header_mutation, by ECDS, since a gateway's origins are no part of its listener.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_mutation_filter
"""

import json

from protomesh.model import Topology
from protomesh.targets.envoy.filters.cors import EXPOSED_HEADERS
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body

__all__ = ["cors_local_reply"]


def _config(topology: Topology) -> Body:
    # A gateway's filter chain has its name.
    allowed = [
        f"xds.filter_chain_name == {json.dumps(gateway.name)}"
        f" && request.headers['origin'] in {json.dumps(gateway.cors.origins)}"
        for gateway in topology.gateways
        if gateway.cors
    ]
    if not allowed:
        return {"mutations": {}}
    condition = f"'origin' in request.headers && ({' || '.join(allowed)})"
    exposed = ",".join(EXPOSED_HEADERS)
    return {
        "mutations": {
            "response_mutations": [
                _append("access-control-allow-origin", f"{condition} ? request.headers['origin'] : ''"),
                _append("access-control-expose-headers", f"{condition} ? '{exposed}' : ''"),
            ]
        }
    }


def _append(header: str, value: str) -> Body:
    """What the cors filter has said stays as it is. A header without a value is not written."""
    return {"append": {"header": {"key": header, "value": f"%CEL({value})%"}, "append_action": "ADD_IF_ABSENT"}}


cors_local_reply = HttpFilter(
    name="cors_local_reply",
    type="envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
)
