"""Bounds the body of a REST call before the transcoder, which keeps all of it, however much, until it is a message.

Another instance of body_size_limit; by what comes behind, a method's own limit holds too. gRPC does not come by the
transcoder, and what a prefix route carries is its service's business.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
"""

from protomesh.model import Topology
from protomesh.targets.envoy.filters.body_size_limit import by_header, composite, limited
from protomesh.targets.envoy.filters.grpc_json_transcoder import largest_body
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["rest_body_size_limit"]


def _config(topology: Topology) -> Body:
    passed = sorted({route.prefix for gateway in topology.gateways for route in gateway.routes})
    by_type = _unless("content-type", ["application/grpc"], {"action": limited(largest_body(topology))})
    return composite(xds_matcher=_unless(":path", passed, {"matcher": by_type}) if passed else by_type)


def _unless(header: str, prefixes: list[str], otherwise: Body) -> Body:
    """Lets calls pass whose header begins so."""
    skip = {"name": "skip", "typed_config": typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter")}
    actions = {prefix: {"action": skip} for prefix in prefixes}
    return by_header(header, prefix_match_map={"map": actions}) | {"on_no_match": otherwise}


rest_body_size_limit = HttpFilter(
    name="rest_body_size_limit",
    type="envoy.extensions.common.matching.v3.ExtensionWithMatcher",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
)
