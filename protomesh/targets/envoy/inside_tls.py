"""Mutual TLS between Envoy and workers: each names the one that it takes for the other.

Two CAs issue, so that what a certificate may be used for follows from who has signed it. Workers trust that of the
proxies and nothing else; Envoy trusts that of the workers, and of those only the one whose SPIFFE ID is the service's.
"""

from protomesh.targets.envoy.cluster import ADS
from protomesh.targets.envoy.names import SECRET, Body, typed

__all__ = ["PROXY", "SECRETS", "WORKERS", "from_worker", "inside_secrets", "to_worker"]

PROXY = "inside-proxy"
"""The secret that is Envoy's certificate and key."""
WORKERS = "inside-workers"
"""The secret that is the CA certificates of workers."""
SECRETS = ((SECRET, PROXY), (SECRET, WORKERS))

_TLS = "envoy.transport_sockets.tls"
_EXTENSIONS = "envoy.extensions.transport_sockets.tls.v3."


def inside_secrets(chain: str, key: str, authorities: str) -> dict[str, Body]:
    """What is secret in it, by name: Envoy's certificate with its key, and the CA certificates of workers; all PEM."""
    pair = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
    return {
        PROXY: {"name": PROXY, "tls_certificate": pair},
        WORKERS: {"name": WORKERS, "validation_context": {"trusted_ca": {"inline_string": authorities}}},
    }


def to_worker(identity: str) -> Body:
    """The transport socket of a cluster whose endpoints have to be `identity`."""
    context = typed(
        _EXTENSIONS + "UpstreamTlsContext",
        common_tls_context=_common(identity),
        max_session_keys=0,  # each connection is a handshake of its own: what was trusted once may be no longer
    )
    return {"name": _TLS, "typed_config": context}


def from_worker(identity: str) -> Body:
    """The transport socket of a listener at which only `identity` may call."""
    context = typed(
        _EXTENSIONS + "DownstreamTlsContext",
        common_tls_context=_common(identity),
        require_client_certificate=True,
        disable_stateless_session_resumption=True,  # likewise
        disable_stateful_session_resumption=True,
    )
    return {"name": _TLS, "typed_config": context}


def _common(identity: str) -> Body:
    named = {"san_type": "URI", "matcher": {"exact": identity}}
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": ["h2"],
        "tls_certificate_sds_secret_configs": [{"name": PROXY, "sds_config": ADS}],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [named]},
            "validation_context_sds_secret_config": {"name": WORKERS, "sds_config": ADS},
        },
    }
