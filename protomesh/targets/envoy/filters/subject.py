"""Says who the user is, by one name that no user of another issuer can have: for services, and for limits.

Behind jwt_authn, which leaves the `sub` of a verified token in a header that tells whose it is.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/header_to_metadata_filter
"""

from protomesh.model import TokenProvider, Topology
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.filters.jwt_authn import SUBJECT, own_header
from protomesh.targets.envoy.names import Body

__all__ = ["NOTED_SUBJECT", "subject", "subject_header"]

NOTED_SUBJECT = ("protomesh", "subject")
"""Where the user's name is noted: namespace and key of Envoy's dynamic metadata. Nothing is there without a user."""


def _config(topology: Topology) -> Body:
    # Without a rule the filter would be none at all, and Envoy refuses it.
    return {"request_rules": [_rule(provider) for provider in topology.auth] or [_note(SUBJECT)]}


def _rule(provider: TokenProvider) -> Body:
    rule = _note(own_header(provider))
    if provider.name:
        qualified = rf"@{provider.name}|\1"
        rule["on_header_present"]["regex_value_rewrite"] = {"pattern": {"regex": "^(.*)$"}, "substitution": qualified}
    return rule | {"remove": bool(provider.name)}


def _note(header: str) -> Body:
    namespace, key = NOTED_SUBJECT
    return {"header": header, "on_header_present": {"metadata_namespace": namespace, "key": key, "type": "STRING"}}


subject = HttpFilter(
    name="subject",
    type="envoy.extensions.filters.http.header_to_metadata.v3.Config",
    faces=frozenset({Face.EDGE}),
    discovered=_config,
)

_VALUE: Body = {"key": SUBJECT, "value": f"%DYNAMIC_METADATA({':'.join(NOTED_SUBJECT)})%"}

subject_header = HttpFilter(
    name="subject_header",
    type="envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    faces=frozenset({Face.EDGE}),
    config={
        "mutations": {
            "request_mutations": [{"append": {"header": _VALUE, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}]
        }
    },
)
