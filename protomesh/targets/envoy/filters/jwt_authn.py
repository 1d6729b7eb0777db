"""Finds out who is calling: a USER method needs a valid token.

Where the mesh has no issuer, or the issuer has published no keys yet, there is nobody whose token could be valid, and
every call of a USER method is UNAUTHENTICATED: closed, never open.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter
"""

from protomesh.model import Audience, Method, TokenProvider, Topology
from protomesh.targets.envoy.duration import duration
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import NO_CLUSTER, Body, typed

__all__ = ["PAYLOAD", "SUBJECT", "jwt_authn", "own_header"]

PAYLOAD = ("envoy.filters.http.jwt_authn", "token")
"""Where the filters behind find the claims of a valid token: namespace and key of Envoy's dynamic metadata."""

SUBJECT = "x-protomesh-subject"
"""The user, in the metadata that services get."""

_USER = "user"
_UNNAMED = "-"  # no name of mesh.yaml
# ASCII (OpenID Connect Core 1.0, section 2) without spaces around, which may get lost on the way: what arrives is what
# was verified. No user of the mesh's own is called as those of a provider with a name are.
_SUBJECT = "([!-~]([ -~]*[!-~])?)?"
_OWN_SUBJECT = "([!-?A-~]([ -~]*[!-~])?)?"
_FROM = [{"name": "authorization", "value_prefix": "Bearer "}]  # by default ?access_token= would do, and be logged
# Envoy refuses a set without keys; from a cluster that never exists it gets none.
_NO_KEYS: Body = {"http_uri": {"uri": "http://none/", "cluster": NO_CLUSTER, "timeout": "1s"}}
_NOBODY: Body = {"issuer": "urn:protomesh:nobody", "remote_jwks": _NO_KEYS, "from_headers": _FROM}
_CACHED_TOKENS = 1000  # each thread's; a signature costs 45 us to verify


def _config(topology: Topology) -> Body:
    providers = {provider.name or _UNNAMED: _provider(provider) for provider in topology.auth} or {_UNNAMED: _NOBODY}
    # Each looks at tokens of its own issuer only, so at most one of them has anything to verify.
    any_of: list[Body] = [{"provider_name": name} for name in providers]
    user = any_of[0] if len(any_of) == 1 else {"requires_any": {"requirements": any_of}}
    return {"providers": providers, "requirement_map": {_USER: user}}


def own_header(provider: TokenProvider) -> str:
    """Where the `sub` of a provider's tokens is, once verified; apart for each, as only its issuer knows who it is."""
    return f"{SUBJECT}-{provider.name}" if provider.name else SUBJECT


def _provider(provider: TokenProvider) -> Body:
    known: Body = {"local_jwks": {"inline_string": provider.key_set}}
    keys = known if provider.key_set else {"remote_jwks": _NO_KEYS}
    return {
        "issuer": provider.issuer,
        "audiences": [provider.audience],
        "subjects": {"safe_regex": {"regex": _SUBJECT if provider.name else _OWN_SUBJECT}},
        **keys,
        "from_headers": _FROM,
        "forward": False,  # services hear who calls, and can't leak what proves it
        # Without these a token may live for ten years, or for ever.
        "require_expiration": True,
        "max_lifetime": duration(provider.max_lifetime),
        # What claims say reaches the service in metadata; what a client says in their place is taken off before.
        "claim_to_headers": [
            {"claim_name": "sub", "header_name": own_header(provider)},
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
