"""TLS where callers come in. What is secret comes by SDS, apart from everything else, and changes by itself.

https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret
"""

from protomesh.model import Gateway, Tls
from protomesh.targets.envoy.cluster import ADS
from protomesh.targets.envoy.names import SECRET, Body, typed

__all__ = ["authorities", "authorities_name", "certificate", "certificate_name", "downstream", "needed", "security"]

# Mozilla's intermediate recommendation, without the suites that only RSA key exchange or CBC would need:
# https://wiki.mozilla.org/Security/Server_Side_TLS. TLS 1.3 has its own, which are all good.
_CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_A_YEAR_SECONDS = 365 * 24 * 3600


def certificate_name(gateway: str) -> str:
    """What the certificate of a gateway is called."""
    return f"certificate-{gateway}"


def authorities_name(gateway: str) -> str:
    """What the CA certificates of a gateway's clients are called."""
    return f"clients-{gateway}"


def certificate(gateway: str, chain: str, key: str) -> Body:
    """A gateway's certificate with its chain, and its key; both PEM."""
    pair = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
    return {"name": certificate_name(gateway), "tls_certificate": pair}


def authorities(gateway: str, certificates: str) -> Body:
    """The CA certificates, PEM, whose holders may show themselves at a gateway."""
    context = {"trusted_ca": {"inline_string": certificates}}
    return {"name": authorities_name(gateway), "validation_context": context}


def needed(gateway: Gateway) -> tuple[tuple[str, str], ...]:
    """The secrets without which a gateway does not listen."""
    if gateway.tls is None:
        return ()
    names = [certificate_name(gateway.name), *([authorities_name(gateway.name)] if gateway.tls.clients else [])]
    return tuple((SECRET, name) for name in names)


def downstream(gateway: str, tls: Tls) -> Body:
    """The transport socket of a gateway: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1."""
    context: Body = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_2",
            "tls_maximum_protocol_version": "TLSv1_3",
            "cipher_suites": list(_CIPHER_SUITES),
        },
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [_by_sds(certificate_name(gateway))],
    }
    if tls.clients is not None:
        context["validation_context_sds_secret_config"] = _by_sds(authorities_name(gateway))
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context=context,
            require_client_certificate=tls.clients is not None and tls.clients.required,
        ),
    }


def security(tls: Tls | None) -> Body:
    """What a virtual host tells browsers: never again to come here without TLS (RFC 6797).

    Not with a development certificate: its name is mostly localhost, and whatever else runs there would be cut off.
    """
    if tls is None or tls.development:
        return {}
    value = {"key": "strict-transport-security", "value": f"max-age={_A_YEAR_SECONDS}"}
    return {"response_headers_to_add": [{"header": value, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def _by_sds(name: str) -> Body:
    return {"name": name, "sds_config": ADS}
