"""What the gateways tell people and tools about the mesh, at /docs."""

import json
from collections.abc import Mapping

from protomesh.model import Topology
from protomesh.targets.envoy import Page
from protomesh.targets.openapi import Contracts, content_security_policy, document, page

__all__ = ["documentation"]


def documentation(topology: Topology) -> Mapping[str, Page]:
    """The pages of a gateway that shows the contracts, by their paths.

    They are one to read and try methods, and the OpenAPI document that it is made of.

    None at all where no gateway shows the contracts.
    """
    if not any(gateway.reflection for gateway in topology.gateways):
        return {}
    contracts = Contracts(topology)
    html = page(topology, contracts)
    policy = {"content-security-policy": content_security_policy(html), "referrer-policy": "no-referrer"}
    described = json.dumps(document(topology, contracts), ensure_ascii=False)
    return {
        "/docs": Page(content_type="text/html; charset=utf-8", content=html.encode(), headers=policy),
        "/docs/openapi.json": Page(content_type="application/json", content=described.encode()),
    }
