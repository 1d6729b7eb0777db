"""TLS to what runs elsewhere: it proves by a certificate that it is what mesh.yaml names.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl
"""

import ipaddress
from collections.abc import Iterable

from protomesh.model import External, ServerTls, Service
from protomesh.targets.envoy.cluster import ADS
from protomesh.targets.envoy.names import SECRET, Body, typed

__all__ = ["needed_upstream", "server_authorities", "upstream"]


def server_authorities(service: str, certificates: str) -> Body:
    """The CA certificates, PEM, one of which has to have signed that of the server at the address of a service."""
    return {"name": _name(service), "validation_context": {"trusted_ca": {"inline_string": certificates}}}


def needed_upstream(services: Iterable[Service]) -> tuple[tuple[str, str], ...]:
    """The secrets without which some of these are not called."""
    return tuple((SECRET, _name(s.name)) for s in services if isinstance(s.runs, External) and s.runs.tls)


def upstream(service: str, tls: ServerTls, *, http1: bool) -> Body:
    """The transport socket of a cluster. Without both the CA and the name anybody with a certificate would do."""
    is_address = _is_address(tls.name)
    alternative: Body = {"san_type": "IP_ADDRESS" if is_address else "DNS", "matcher": {"exact": tls.name}}
    context: Body = {
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": ["http/1.1" if http1 else "h2"],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": [alternative]},
                "validation_context_sds_secret_config": {"name": _name(service), "sds_config": ADS},
            },
        },
    }
    if not is_address:  # RFC 6066, section 3: no addresses in SNI
        context["sni"] = tls.name
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", **context),
    }


def _name(service: str) -> str:
    return f"server-{service}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
