"""The gateways of mesh.yaml, every default resolved."""

from functools import partial

from protomesh.contract.mesh_schema import GatewayFile, TlsFile
from protomesh.contract.mesh_yaml import Mesh
from protomesh.contract.report import Report, Rule
from protomesh.diagnostics import Severity
from protomesh.model import Clients, Cors, FilesRoute, Gateway, PrefixRoute, Tls

__all__ = ["RULES", "read_gateways"]

GATEWAY_CLASH = Rule(id="GATEWAY_CLASH", means="Two gateways have one name or listen on one address.")
PLAIN_GATEWAY = Rule(
    id="PLAIN_GATEWAY", means="A gateway would take plain text, tokens and passwords included, from other machines."
)
INSECURE_GATEWAY = Rule(
    id="INSECURE_GATEWAY",
    means="A gateway takes plain text from other machines, because mesh.yaml says so.",
    severity=Severity.WARNING,
    required=False,
)
RULES = (GATEWAY_CLASH, PLAIN_GATEWAY, INSECURE_GATEWAY)

_DEFAULT = GatewayFile.model_validate({"listen": "127.0.0.1:8080"})
_RESERVED = ("operator", "egress-")  # names of Envoy's other listeners, and how they begin


def read_gateways(mesh: Mesh, report: Report) -> tuple[Gateway, ...]:
    """Makes the gateways; one at 127.0.0.1:8080 if mesh.yaml has none. The first is called "edge" unless it says."""
    gateways: list[Gateway] = []
    for index, file in enumerate(mesh.file.gateways or [_DEFAULT]):
        origin = mesh.origin("gateways", index)
        name = file.name or ("edge" if not index else f"edge-{index + 1}")
        at = partial(mesh.origin, "gateways", index, "routes")
        routes = [
            PrefixRoute(prefix=route.prefix, service=route.service, origin=at(number))
            for number, route in enumerate(file.routes)
            if route.service is not None
        ]
        files = [
            FilesRoute(prefix=route.prefix, folder=route.files, origin=at(number))
            for number, route in enumerate(file.routes)
            if route.files is not None
        ]
        gateway = Gateway(
            name=name,
            listen=file.listen,
            tls=_tls(file.tls),
            cors=Cors(origins=tuple(file.cors.origins)) if file.cors else None,
            routes=tuple(sorted(routes, key=lambda route: (-len(route.prefix), route.prefix))),
            files=tuple(sorted(files, key=lambda route: (-len(route.prefix), route.prefix))),
            reflection=file.listen.loopback if file.reflection is None else file.reflection,
            origin=origin,
        )
        if name == _RESERVED[0] or name.startswith(_RESERVED[1]):
            origin = mesh.origin("gateways", index, "name")
            report.add(
                GATEWAY_CLASH, origin, f"{name!r} is the name of a listener of the mesh's own", "Choose another."
            )
        if file.tls is None and not file.listen.loopback:
            _plain(gateway, report, meant=file.insecure)
        for other in gateways:
            if other.name == name:
                report.add(GATEWAY_CLASH, origin, f"two gateways are called {name!r}", "Give one another name.")
            if other.listen == gateway.listen:
                report.add(GATEWAY_CLASH, origin, f"two gateways listen on {gateway.listen}", "Change one port.")
        for number, route in enumerate(file.routes):
            if route.prefix in [earlier.prefix for earlier in file.routes[:number]]:
                report.add(GATEWAY_CLASH, at(number), f"two routes have the prefix {route.prefix}", "Remove one.")
        gateways.append(gateway)
    return tuple(gateways)


def _tls(file: TlsFile | None) -> Tls | None:
    if file is None:
        return None
    clients = Clients(authorities=file.clients.ca, required=file.clients.required) if file.clients else None
    return Tls(certificate=file.cert, key=file.key, clients=clients)


def _plain(gateway: Gateway, report: Report, *, meant: bool) -> None:
    if meant:
        hint = "Let what stands in front of it speak TLS, and let nobody else reach it."
        report.add(INSECURE_GATEWAY, gateway.origin, f"{gateway.listen} takes plain text from anywhere", hint)
    else:
        hint = (
            "Give it `tls: {cert: ..., key: ...}`, or `tls: dev` to try it; "
            "`insecure: true` if something in front of it speaks TLS."
        )
        report.add(PLAIN_GATEWAY, gateway.origin, f"{gateway.listen} would take plain text from anywhere", hint)
