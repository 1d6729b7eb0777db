"""How calls leave for another machine: with the user's token or with no user, never with what this mesh says of them.

Only its own services have a reason to believe that. Two filters, and both do nothing but where a route says so: the
token is kept on the edge's routes to services from which a call can get to one that wants it, and at the last way out
it becomes again what it was when it came.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_mutation_filter
"""

from protomesh.model import Audience, External, Method, Service, UserAs
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["TOKEN", "kept_token", "of_users", "way_out"]

TOKEN = "x-protomesh-token"  # noqa: S105 - the metadata's name
"""The user's token as it came, for services that have to hand it on; callers outside can't set it."""

_TYPE = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"

kept_token = HttpFilter(name="kept_token", type=_TYPE, faces=frozenset({Face.EDGE}))
way_out = HttpFilter(name="way_out", type=_TYPE, faces=frozenset(Face))

_KEEP: Body = {
    # jwt_authn refuses the call if it is none, and takes the original away if it is one.
    "append": {
        "header": {"key": TOKEN, "value": "%REQ(authorization)%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
}
_SHOW: Body = {
    # Where there is none, as in a job, what the service says in its place stays: it may have a token of its own.
    "append": {
        "header": {"key": "authorization", "value": f"%REQ({TOKEN})%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
}
_FORGET: Body = {"remove_on_match": {"key_matcher": {"prefix": "x-protomesh-"}}}


def of_users(face: Face, service: Service, method: Method, *, carries_token: bool) -> Body:
    """What these filters do on the route of a method, by filter."""
    configs: Body = {}
    if face is Face.EDGE and carries_token and method.audience is Audience.USER:
        configs[kept_token.name] = _per_route([_KEEP])
    if isinstance(service.runs, External) and service.runs.user is not UserAs.METADATA:
        shown = [_SHOW] if service.runs.user is UserAs.TOKEN else []
        configs[way_out.name] = _per_route([*shown, _FORGET])
    return configs


def _per_route(mutations: list[Body]) -> Body:
    return typed(f"{_TYPE}PerRoute", mutations={"request_mutations": mutations})
