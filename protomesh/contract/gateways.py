"""The gateways of mesh.yaml, every default resolved."""

import ipaddress

from protomesh.contract.mesh_schema import GatewayFile
from protomesh.contract.mesh_yaml import Mesh
from protomesh.contract.report import Report, Rule
from protomesh.model import Cors, Gateway, PrefixRoute, TcpAddress

__all__ = ["RULES", "read_gateways"]

GATEWAY_CLASH = Rule(id="GATEWAY_CLASH", means="Two gateways have one name or listen on one address.")
RULES = (GATEWAY_CLASH,)

_DEFAULT = GatewayFile.model_validate({"listen": "127.0.0.1:8080"})
_RESERVED = ("operator", "egress-")  # names of Envoy's other listeners, and how they begin


def read_gateways(mesh: Mesh, report: Report) -> tuple[Gateway, ...]:
    """Makes the gateways; one at 127.0.0.1:8080 if mesh.yaml has none. The first is called "edge" unless it says."""
    gateways: list[Gateway] = []
    for index, file in enumerate(mesh.file.gateways or [_DEFAULT]):
        origin = mesh.origin("gateways", index)
        name = file.name or ("edge" if not index else f"edge-{index + 1}")
        routes = [
            PrefixRoute(
                prefix=route.prefix,
                service=route.service,
                origin=mesh.origin("gateways", index, "routes", number),
            )
            for number, route in enumerate(file.routes)
        ]
        gateway = Gateway(
            name=name,
            listen=file.listen,
            cors=Cors(origins=tuple(file.cors.origins)) if file.cors else None,
            routes=tuple(sorted(routes, key=lambda route: (-len(route.prefix), route.prefix))),
            reflection=_is_loopback(file.listen) if file.reflection is None else file.reflection,
            origin=origin,
        )
        if name == _RESERVED[0] or name.startswith(_RESERVED[1]):
            origin = mesh.origin("gateways", index, "name")
            report.add(
                GATEWAY_CLASH, origin, f"{name!r} is the name of a listener of the mesh's own", "Choose another."
            )
        for other in gateways:
            if other.name == name:
                report.add(GATEWAY_CLASH, origin, f"two gateways are called {name!r}", "Give one another name.")
            if other.listen == gateway.listen:
                report.add(GATEWAY_CLASH, origin, f"two gateways listen on {gateway.listen}", "Change one port.")
        for number, route in enumerate(file.routes):
            if route.prefix in [earlier.prefix for earlier in file.routes[:number]]:
                at = mesh.origin("gateways", index, "routes", number)
                report.add(GATEWAY_CLASH, at, f"two routes have the prefix {route.prefix}", "Remove one.")
        gateways.append(gateway)
    return tuple(gateways)


def _is_loopback(address: TcpAddress) -> bool:
    return ipaddress.ip_address(address.host).is_loopback
