"""`protomesh status`: what a running mesh is doing."""

import asyncio
from pathlib import Path

from google.protobuf import json_format

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.connection import get_status, not_running
from protomesh.cli.exits import Failure
from protomesh.cli.project import Project

__all__ = ["status"]

_Phase = admin.Status.Phase
_State = admin.ServiceStatus.State


def status(directory: Path | None, *, json: bool) -> None:
    """Prints the status.

    Raises:
        Failure: nothing runs; or some service does not serve, or Envoy refused something, after it is printed.
    """
    project = Project.find(directory)
    found = asyncio.run(get_status(project.layout))
    if found is None:
        raise not_running(project)
    if json:
        print(
            json_format.MessageToJson(
                found, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
            )
        )
    else:
        print("\n".join(_lines(found)))
    if found.phase != _Phase.PHASE_SERVING:
        raise Failure(f"{found.mesh} is {_words(_Phase.Name(found.phase))}")


def _lines(found: admin.Status) -> list[str]:
    address = ", ".join(found.gateways)
    lines = [f"{found.mesh}  {_words(_Phase.Name(found.phase))}  {address}  PID {found.pid}", ""]
    width = max((len(service.name) for service in found.services), default=0)
    for service in found.services:
        pids = ", ".join(str(worker.pid) for worker in service.workers if worker.pid)
        crashes = sum(worker.restarts for worker in service.workers)
        lines.append(
            f"  {service.name:{width}}  {_words(_State.Name(service.state)):11}  {len(service.endpoints)} endpoint"
            f"{'s' if len(service.endpoints) != 1 else ' '}  {f'PID {pids}' if pids else ''}"
            f"{f'  restarted {crashes} times' if crashes else ''}".rstrip()
        )
        if service.problem:
            lines.append(f"  {'':{width}}  {service.problem}")
    if found.proxy.pid:
        lines += ["", f"  Envoy {found.proxy.version}  PID {found.proxy.pid}"]
    for configuration in found.proxy.configuration:
        kind = configuration.type_url.rpartition(".")[2]
        lines.append(f"    {kind:28} {configuration.acknowledged} of {configuration.resources} acknowledged")
        for rejection in configuration.rejections:
            lines.append(f"      {rejection.origin or rejection.resource}: {rejection.reason}")
    return lines


def _words(name: str) -> str:
    return name.partition("_")[2].lower().replace("_", " ")
