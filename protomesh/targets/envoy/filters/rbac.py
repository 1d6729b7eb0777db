"""Asks for the scopes that a method's contract names: the token must have them all.

Behind jwt_authn, which has verified the token and noted its claims. A method without scopes passes.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rbac_filter
"""

from protomesh.model import Method
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.filters.jwt_authn import PAYLOAD
from protomesh.targets.envoy.names import Body, typed

__all__ = ["rbac"]


def _scopes(method: Method) -> Body | None:
    if not method.scopes:
        return None
    policy = {
        "permissions": [{"any": True}],
        "principals": [{"and_ids": {"ids": [_has(scope) for scope in method.scopes]}}],
    }
    rules: Body = {"action": "ALLOW", "policies": {"scopes": policy}}
    return typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})


def _has(scope: str) -> Body:
    namespace, token = PAYLOAD
    matcher: Body = {
        "filter": namespace,
        "path": [{"key": token}, {"key": "scope"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": scope}}}},
    }
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}


rbac = HttpFilter(
    name="rbac",
    type="envoy.extensions.filters.http.rbac.v3.RBAC",
    faces=frozenset({Face.EDGE}),
    per_method=_scopes,
)
