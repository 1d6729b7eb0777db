"""`protomesh restart`: new workers without a failed call."""

import asyncio
from pathlib import Path

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.connection import connect
from protomesh.cli.project import Project

__all__ = ["restart"]

_LIMIT = 300.0  # seconds; each worker has 60 to start and 12 to drain


def restart(directory: Path | None, service: str) -> None:
    """Returns when the last new worker serves.

    Raises:
        Failure: nothing runs, there is no such service, or a new worker did not start; the old ones then serve on.
    """
    asyncio.run(_restart(Project.find(directory), service))


async def _restart(project: Project, service: str) -> None:
    async with connect(project) as mesh:
        await mesh.RestartService(admin.RestartServiceRequest(service=service), timeout=_LIMIT)
        status = (await mesh.GetStatus(admin.GetStatusRequest(), timeout=5)).status
    workers = next((len(row.workers) for row in status.services if row.name == service), 0)
    print(f"{service} restarted: {workers} new worker{'s' if workers != 1 else ''}")
