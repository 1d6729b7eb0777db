"""The node agent: processes of one mesh on one machine.

In: the services of a topology and an `AdminServiceStub`. Out: workers that serve, and their endpoints reported to
control. It knows neither Envoy nor xDS, and imports `model`, `atomic_file` and the admin stubs, and nothing else of
Protomesh.
"""

from protomesh.supervisor.account import AccountUnusable, Owner
from protomesh.supervisor.agent import Agent, ServicesFailed, UnknownService
from protomesh.supervisor.layout import RunDirectoryRefused, claim, layout_for, release
from protomesh.supervisor.probe import Secured
from protomesh.supervisor.process import ExitStatus, Process
from protomesh.supervisor.state import StateFile, end_leftovers
from protomesh.supervisor.worker import WorkerFailed
from protomesh.supervisor.workers import AlreadyAttached, Attachment

__all__ = [
    "AccountUnusable",
    "Agent",
    "AlreadyAttached",
    "Attachment",
    "ExitStatus",
    "Owner",
    "Process",
    "RunDirectoryRefused",
    "Secured",
    "ServicesFailed",
    "StateFile",
    "UnknownService",
    "WorkerFailed",
    "claim",
    "end_leftovers",
    "layout_for",
    "release",
]
