"""In which order the types of resource go to a client.

A client must hold what a resource names before it holds the resource: clusters before the routes to them. Removals go
the other way round. See "Eventual consistency considerations" of
https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol.
"""

from collections.abc import Iterable

__all__ = [
    "PUSH_ORDER",
    "ROOTS",
    "URGENT",
    "pushed_before",
    "removed_before",
    "sorted_for_push",
    "warmed_by",
    "warms_with",
]

_PREFIX = "type.googleapis.com/envoy."
_CLUSTER = _PREFIX + "config.cluster.v3.Cluster"
_ENDPOINTS = _PREFIX + "config.endpoint.v3.ClusterLoadAssignment"
_SECRET = _PREFIX + "extensions.transport_sockets.tls.v3.Secret"
_EXTENSION = _PREFIX + "config.core.v3.TypedExtensionConfig"
_LISTENER = _PREFIX + "config.listener.v3.Listener"
_ROUTES = _PREFIX + "config.route.v3.RouteConfiguration"

PUSH_ORDER = (
    _CLUSTER,
    _ENDPOINTS,  # a cluster warms until it has them
    _SECRET,  # clusters and listeners wait for theirs
    _EXTENSION,  # filters, which name clusters
    _LISTENER,
    _ROUTES,  # last: from here on calls arrive
)
"""Types that this module knows; any other type goes after them, by name."""

ROOTS = frozenset({_CLUSTER, _LISTENER})
"""Types that clients ask for of their own accord; the others because something that they hold names them."""

URGENT = frozenset({_ENDPOINTS})
"""Types whose changes do not wait for others to join them: calls go to a place that is gone."""

# Who names others is removed before what it names.
_REMOVAL_ORDER = (_LISTENER, _ROUTES, _EXTENSION, _CLUSTER, _SECRET, _ENDPOINTS)

# A changed cluster warms anew: Envoy waits 15 s for endpoints which it does not ask for, because it has a subscription
# to that name already, and holds back its answer about clusters meanwhile.
_WARMS_WITH = {_CLUSTER: frozenset({_ENDPOINTS})}


def _rank(type_url: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(type_url), "") if type_url in order else (len(order), type_url)


def sorted_for_push(type_urls: Iterable[str]) -> list[str]:
    """The type URLs in the order in which their resources are sent."""
    return sorted(type_urls, key=lambda type_url: _rank(type_url, PUSH_ORDER))


def pushed_before(first: str, second: str) -> bool:
    """Whether resources of type `first` are sent, and answered, before those of `second` that need them."""
    return _rank(first, PUSH_ORDER) < _rank(second, PUSH_ORDER)


def removed_before(first: str, second: str) -> bool:
    """Whether resources of type `first` are removed before those of `second`."""
    return _rank(first, _REMOVAL_ORDER) < _rank(second, _REMOVAL_ORDER)


def warms_with(type_url: str) -> frozenset[str]:
    """The types whose resources a client waits for again after a resource of `type_url` changed."""
    return _WARMS_WITH.get(type_url, frozenset())


def warmed_by(type_url: str) -> frozenset[str]:
    """The types after whose change a client waits for resources of `type_url`."""
    return frozenset(changed for changed, awaited in _WARMS_WITH.items() if type_url in awaited)
