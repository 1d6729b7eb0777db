"""Asks for what mesh.yaml and a method's contract name: a certificate of certain clients, and scopes of the token.

Behind jwt_authn, which has verified the token and noted its claims; the gateway has verified the certificate. A method
with neither passes. https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rbac_filter
"""

from protomesh.model import Method
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.filters.jwt_authn import PAYLOAD
from protomesh.targets.envoy.names import Body, typed

__all__ = ["rbac"]


def _allowed(method: Method) -> Body | None:
    needed = [_has(scope) for scope in method.scopes]
    if method.clients:
        needed.append({"or_ids": {"ids": [_shows(name) for name in method.clients]}})
    if not needed:
        return None
    policy = {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": needed}}]}
    rules: Body = {"action": "ALLOW", "policies": {"allowed": policy}}
    return typed("envoy.extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})


def _has(scope: str) -> Body:
    namespace, token = PAYLOAD
    matcher: Body = {
        "filter": namespace,
        "path": [{"key": token}, {"key": "scope"}],
        "value": {"list_match": {"one_of": {"string_match": {"exact": scope}}}},
    }
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}


def _shows(name: str) -> Body:
    """Envoy compares each URI and DNS name of the certificate; who shows none has no name."""
    return {"authenticated": {"principal_name": {"exact": name}}}


rbac = HttpFilter(
    name="rbac",
    type="envoy.extensions.filters.http.rbac.v3.RBAC",
    faces=frozenset({Face.EDGE}),
    per_method=_allowed,
)
