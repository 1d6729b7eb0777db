"""What `up` says at its end: what runs where, and what to call; or what failed."""

import shlex
from collections.abc import Iterable, Iterator

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.logline import for_terminal
from protomesh.cli.project import Project
from protomesh.model import Audience, Method, Topology
from protomesh.supervisor.logs import LogLine, log_file

__all__ = ["failure_text", "welcome"]

_State = admin.ServiceStatus.State


def welcome(status: admin.Status, topology: Topology, project: Project, headline: str) -> str:
    """Services with their methods and workers, addresses, and calls to try."""
    lines = [f"{status.mesh} {headline}", ""]
    rows = [
        (row.name, f"{row.edge_methods} at the edge, {row.internal_methods} internal", _runs(row))
        for row in status.services
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines += [f"  {name:{widths[0]}}  {methods:{widths[1]}}  {runs}" for name, methods, runs in rows]
    lines.append("")
    addresses = [("edge", gateway, "gRPC, gRPC-Web, REST") for gateway in status.gateways]
    addresses.append(("operator", f"unix:{project.layout.operator_socket}", "every method, for you only"))
    addresses.append(("logs", str(project.relative(log_file(project.layout, "mesh").parent)), "protomesh logs -f"))
    widths = [max(len(row[column]) for row in addresses) for column in (0, 1)]
    lines += [f"  {name:{widths[0]}}  {where:{widths[1]}}  {what}".rstrip() for name, where, what in addresses]
    calls = list(_calls(status, topology))
    if calls:
        lines += ["", "Try:", *(f"  {call}" for call in calls)]
    return "\n".join(lines)


def failure_text(status: admin.Status, project: Project, *, keep_going: bool) -> str:
    """What failed, with the last words of each service that did not start."""
    name = status.mesh or project.root.name
    lines = [f"{name} did not start.", "", status.failure]
    for row in status.services:
        if row.last_log_lines:
            log = project.relative(log_file(project.layout, row.name))
            lines += ["", f"The end of {log}:"]
            lines += [for_terminal(LogLine(row.name, t), width=len(row.name), colour=False) for t in row.last_log_lines]
    if status.services:
        what = "" if keep_going else " `protomesh up --keep-going` leaves the others running."
        lines += ["", f"Everything was stopped again.{what}"]
    return "\n".join(lines)


def _runs(row: admin.ServiceStatus) -> str:
    if row.state == _State.STATE_EXTERNAL:
        return f"runs at {', '.join(row.endpoints)}"
    if row.state == _State.STATE_ATTACHED:
        return "runs in a terminal"
    if row.state != _State.STATE_SERVING:
        return f"does not serve: {row.problem}"
    return f"{len(row.workers)} worker{'s' if len(row.workers) != 1 else ''}"


def _calls(status: admin.Status, topology: Topology) -> Iterator[str]:
    """One call by each client, of the methods that need least: no token, no stream, no path to fill in."""
    public = [m for _, m in topology.exposed() if m.audience is Audience.PUBLIC and not m.streaming]
    if not public or not status.gateways:
        return
    gateway = status.gateways[0]
    rest = next(_rest(public), None)
    method = rest[0] if rest else public[0]
    yield f"protomesh call {method.full_name}"
    yield f"grpcurl -plaintext {gateway} {method.full_name}"
    if rest:
        yield f"curl {shlex.quote(f'http://{gateway}{rest[1]}')}"


def _rest(methods: Iterable[Method]) -> Iterator[tuple[Method, str]]:
    for method in methods:
        for binding in method.rest:
            if binding.verb == "GET" and binding.enabled and "{" not in binding.template:
                yield method, binding.template
