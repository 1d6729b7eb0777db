"""Finds out who is calling: a USER method needs a valid token.

Where the mesh has no issuer, or the issuer has published no keys yet, there is nobody whose token could be valid, and
every call of a USER method is UNAUTHENTICATED: closed, never open.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter
"""

from protomesh.model import Audience, Auth, Method, Topology
from protomesh.targets.envoy.duration import duration
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import NO_CLUSTER, Body, typed

__all__ = ["PAYLOAD", "jwt_authn"]

PAYLOAD = ("envoy.filters.http.jwt_authn", "token")
"""Where the filters behind find the claims of a valid token: namespace and key of Envoy's dynamic metadata."""

_USER = "user"
_FROM = [{"name": "authorization", "value_prefix": "Bearer "}]  # by default ?access_token= would do, and be logged
# Envoy refuses a set without keys; from a cluster that never exists it gets none.
_NO_KEYS: Body = {"http_uri": {"uri": "http://none/", "cluster": NO_CLUSTER, "timeout": "1s"}}
_NOBODY: Body = {"issuer": "urn:protomesh:nobody", "remote_jwks": _NO_KEYS, "from_headers": _FROM}
_CACHED_TOKENS = 1000  # each thread's; a signature costs 45 us to verify


def _config(topology: Topology) -> Body:
    provider = _provider(topology.auth) if topology.auth is not None else _NOBODY
    return {"providers": {"issuer": provider}, "requirement_map": {_USER: {"provider_name": "issuer"}}}


def _provider(auth: Auth) -> Body:
    keys: Body = {"local_jwks": {"inline_string": auth.key_set}} if auth.key_set else {"remote_jwks": _NO_KEYS}
    return {
        "issuer": auth.issuer,
        "audiences": [auth.audience],
        **keys,
        "from_headers": _FROM,
        "forward": False,  # services hear who calls, and can't leak what proves it
        # Without these a token may live for ten years, or for ever.
        "require_expiration": True,
        "max_lifetime": duration(auth.max_lifetime),
        # What claims say reaches the service in metadata; what a client says in their place is taken off before.
        "claim_to_headers": [
            {"claim_name": "sub", "header_name": "x-protomesh-subject"},
            {"claim_name": "scope", "header_name": "x-protomesh-scopes"},
        ],
        "forward_payload_header": "x-protomesh-claims",
        "payload_in_metadata": PAYLOAD[1],
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "jwt_cache_config": {"jwt_cache_size": _CACHED_TOKENS},
    }


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
