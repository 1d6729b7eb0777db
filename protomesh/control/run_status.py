"""What one run of a mesh tells of itself, in the words of protomesh.admin.v1."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.control.ports import PortTaken
from protomesh.control.status import ConfigurationStatus
from protomesh.diagnostics import InvalidProject
from protomesh.model import Topology
from protomesh.proxy import ProxyError
from protomesh.supervisor import RunDirectoryRefused, ServicesFailed

__all__ = ["Phase", "RunStatus", "configuration_message"]

Phase = admin.Status.Phase
_EXPECTED = (InvalidProject, PortTaken, ProxyError, RunDirectoryRefused)  # their texts are for the user as they are
_log = logging.getLogger(__name__)


class RunStatus:
    """The phase of a run, why it failed if it did, and who waits to hear of changes."""

    def __init__(self) -> None:
        self.phase = Phase.PHASE_STARTING
        self.failure = ""
        self._start_time = time.time()
        self._changed = asyncio.Event()

    def enter(self, phase: "admin.Status.Phase.ValueType") -> None:
        """Goes on to a phase."""
        self.phase = phase
        _log.info("phase", extra={"phase": Phase.Name(phase)})
        self.notify()

    def fail(self, error: Exception) -> None:
        """Ends the run with what went wrong: as it is if it is the user's to mend, with its stack in the log else."""
        if isinstance(error, ServicesFailed):
            self.failure = "\n".join(f"{name} did not start: {why.reason}" for name, why in error.failures.items())
        else:
            self.failure = str(error) if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}"
        if isinstance(error, (*_EXPECTED, ServicesFailed)):
            _log.error("the mesh did not start", extra={"reason": self.failure})
        else:
            _log.error("the mesh did not start", exc_info=error)
        self.enter(Phase.PHASE_FAILED)

    def notify(self) -> None:
        """Something may read differently now."""
        self._changed.set()
        self._changed = asyncio.Event()

    def wait_changed(self) -> Coroutine[Any, Any, object]:
        """Returns at the next `notify` from the call on, also if it comes before the result is awaited."""
        return self._changed.wait()

    def message(self, topology: Topology | None, services: list[admin.ServiceStatus]) -> admin.Status:
        """The status without what is known of Envoy; `services` are the agent's, completed with their methods."""
        started = Timestamp()
        started.FromMilliseconds(int(self._start_time * 1000))
        status = admin.Status(
            mesh=topology.name if topology else "",
            phase=self.phase,
            pid=os.getpid(),
            start_time=started,
            gateways=[str(gateway.listen) for gateway in topology.gateways] if topology else [],
            services=services,
            failure=self.failure,
        )
        for row in status.services:
            service = topology.services.get(row.name) if topology else None
            exposed = sum(method.exposed for method in service.methods) if service else 0
            row.edge_methods = exposed
            row.internal_methods = len(service.methods) - exposed if service else 0
        return status


def configuration_message(status: ConfigurationStatus) -> admin.ConfigurationStatus:
    """One type of Envoy's resources."""
    return admin.ConfigurationStatus(
        type_url=status.type_url,
        resources=status.resources,
        acknowledged=status.acknowledged,
        rejections=[
            admin.Rejection(resource=r.resource, reason=r.reason, origin=str(r.origin or "")) for r in status.rejections
        ],
    )
