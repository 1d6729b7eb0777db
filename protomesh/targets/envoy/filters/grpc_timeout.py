"""Takes a caller's deadline off a unary call where it is longer than the contract's, which the route then adds.

A service's runtime bounds what a handler may take, and a handler begins when the whole message is there. Until then the
deadline is all that ends a call whose message comes drop by drop, never idle: with one of an hour it would stay for an
hour, and hold what it has sent.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
"""

from collections import Counter, defaultdict
from datetime import timedelta

from protomesh.model import Method, Topology
from protomesh.targets.envoy.duration import up_to
from protomesh.targets.envoy.filters.body_size_limit import by_header, composite
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed
from protomesh.targets.envoy.routes import header

__all__ = ["grpc_timeout"]

_HEADER = "grpc-timeout"
_TAKEN_OFF: Body = {
    "action": {
        "name": "composite-action",
        "typed_config": typed(
            "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction",
            typed_config={
                "name": "header_mutation",
                "typed_config": typed(
                    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                    mutations={"request_mutations": [{"remove": _HEADER}]},
                ),
            },
        ),
    }
}
_LEFT_ALONE: Body = {
    "action": {
        "name": "skip",
        "typed_config": typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter"),
    }
}


def _config(topology: Topology) -> Body:
    """By service, as its methods mostly have one deadline: an entry has a regex, and they are many."""
    services: defaultdict[str, list[Method]] = defaultdict(list)
    for _, method in topology.exposed():
        services[method.path.rpartition("/")[0] + "/"].append(method)
    if not services:  # Envoy refuses an empty map
        return composite()
    usual = {prefix: Counter(map(_deadline, methods)).most_common(1)[0][0] for prefix, methods in services.items()}
    unusual = {
        method.path: _unless_within(_deadline(method))
        for prefix, methods in services.items()
        for method in methods
        if _deadline(method) != usual[prefix]
    }
    entries = {prefix: _unless_within(deadline) for prefix, deadline in usual.items()}
    matcher = by_header(":path", prefix_match_map={"map": entries})
    if unusual:
        matcher = by_header(":path", exact_match_map={"map": unusual}) | {"on_no_match": {"matcher": matcher}}
    return composite(xds_matcher=matcher)


def _deadline(method: Method) -> timedelta | None:
    """What a caller's is compared with. A stream of messages is handled from the first one on."""
    return None if method.client_streaming else method.timeout


def _unless_within(timeout: timedelta | None) -> Body:
    if timeout is None:
        return _LEFT_ALONE
    # What is no deadline at all does not match either: some servers take it for one without an end.
    longer = {"not_matcher": header(_HEADER, safe_regex={"google_re2": {}, "regex": up_to(timeout)})}
    return {"matcher": {"matcher_list": {"matchers": [{"predicate": longer, "on_match": _TAKEN_OFF}]}}}


grpc_timeout = HttpFilter(
    name="grpc_timeout",
    type="envoy.extensions.common.matching.v3.ExtensionWithMatcher",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
)
