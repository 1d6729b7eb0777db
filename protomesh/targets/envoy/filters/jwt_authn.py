"""Finds out who is calling: a USER method needs a valid token.

Where the mesh has no issuer there is nobody whose token could be valid, and every call of a USER method is
UNAUTHENTICATED: closed, never open.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter
"""

from protomesh.model import Audience, Method, Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import NO_CLUSTER, Body, typed

__all__ = ["jwt_authn"]

_USER = "user"
_NOBODY: Body = {
    "issuer": "urn:protomesh:nobody",
    # Envoy refuses a set without keys; from a cluster that never exists it gets none.
    "remote_jwks": {"http_uri": {"uri": "http://none/", "cluster": NO_CLUSTER, "timeout": "1s"}},
    "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
}


def _config(_: Topology) -> Body:
    return {"providers": {"nobody": _NOBODY}, "requirement_map": {_USER: {"provider_name": "nobody"}}}


def _requirement(method: Method) -> Body | None:
    if method.audience is not Audience.USER:
        return None
    return typed("envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig", requirement_name=_USER)


jwt_authn = HttpFilter(
    name="jwt_authn",
    type="envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
    per_method=_requirement,
)
