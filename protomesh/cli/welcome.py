"""What `up` says at its end: what runs where, and what to call; or what failed."""

from pathlib import Path

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.examples import command, examples, for_operator, reached_at
from protomesh.cli.logline import for_terminal
from protomesh.cli.project import Project
from protomesh.model import Topology
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
    addresses = [
        ("edge", str(gateway.listen), f"gRPC, gRPC-Web, REST{'' if gateway.tls is None else ' over TLS'}")
        for gateway in topology.gateways
    ]
    addresses += [
        ("docs", f"http{'' if gateway.tls is None else 's'}://{reached_at(gateway)}/docs", "methods to read and try")
        for gateway in topology.gateways
        if gateway.reflection
    ][:1]
    addresses += [
        ("page", f"http{'' if gateway.tls is None else 's'}://{reached_at(gateway)}{files.prefix}", files.folder)
        for gateway in topology.gateways[:1]
        for files in gateway.files
    ]
    authority = str(project.relative(Path(project.layout.development_ca)))
    if any(gateway.of_development for gateway in topology.gateways):
        addresses.append(("CA", authority, "what callers have to trust; its key stays here"))
    addresses.append(("operator", f"unix:{project.layout.operator_socket}", "every method, for you only"))
    addresses.append(("logs", str(project.relative(log_file(project.layout, "mesh").parent)), f"{command()} logs -f"))
    widths = [max(len(row[column]) for row in addresses) for column in (0, 1)]
    lines += [f"  {name:{widths[0]}}  {where:{widths[1]}}  {what}".rstrip() for name, where, what in addresses]
    calls = [call for gateway in topology.gateways[:1] for call in examples(topology, gateway, authority)]
    calls.append(for_operator(project.layout.operator_socket))
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
        what = "" if keep_going else f" `{command()} up --keep-going` leaves the others running."
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
