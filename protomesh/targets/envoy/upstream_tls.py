"""TLS to what runs elsewhere: it proves by a certificate that it is what mesh.yaml names.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl
"""

import ipaddress
from pathlib import PurePosixPath

from protomesh.model import ServerTls
from protomesh.targets.envoy.names import Body, typed

__all__ = ["upstream"]


def upstream(tls: ServerTls, project: PurePosixPath, *, http1: bool) -> Body:
    """The transport socket of a cluster. Without both the CA and the name anybody with a certificate would do."""
    is_address = _is_address(tls.name)
    alternative: Body = {"san_type": "IP_ADDRESS" if is_address else "DNS", "matcher": {"exact": tls.name}}
    context: Body = {
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": ["http/1.1" if http1 else "h2"],
            "validation_context": {
                "trusted_ca": {"filename": str(project / tls.authorities)},
                "match_typed_subject_alt_names": [alternative],
            },
        },
    }
    if not is_address:  # RFC 6066, section 3: no addresses in SNI
        context["sni"] = tls.name
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", **context),
    }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
