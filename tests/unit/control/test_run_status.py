import logging
import os

import pytest

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.control.ports import PortTaken
from protomesh.control.run_status import Phase, RunStatus, configuration_message
from protomesh.control.status import ConfigurationStatus, RejectedResource
from protomesh.model import Origin, Topology
from protomesh.supervisor import ServicesFailed, WorkerFailed


async def test_a_status_counts_methods_by_who_may_call_them(shop: Topology) -> None:
    """Of a service that the topology no longer has nothing is known."""
    rows = [admin.ServiceStatus(name="gone"), admin.ServiceStatus(name="stock")]

    status = RunStatus().message(shop, rows)

    assert (status.mesh, status.phase, status.pid) == ("shop", Phase.PHASE_STARTING, os.getpid())
    assert list(status.gateways) == ["127.0.0.1:18080"]
    assert [(row.name, row.edge_methods, row.internal_methods) for row in status.services] == [
        ("gone", 0, 0),
        ("stock", 1, 2),
    ]


async def test_before_the_project_is_read_there_is_a_status_too() -> None:
    """Whoever started the process watches from the first moment."""
    status = RunStatus().message(None, [])

    assert (status.mesh, list(status.gateways), status.phase) == ("", [], Phase.PHASE_STARTING)


@pytest.mark.parametrize(
    ("error", "said", "traceback"),
    [
        (PortTaken("127.0.0.1:8080 is taken"), "127.0.0.1:8080 is taken", False),
        (ServicesFailed({"stock": WorkerFailed("exited")}), "stock did not start: exited", False),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", True),
    ],
)
async def test_a_failure_is_told_as_what_it_is(
    error: Exception,
    said: str,
    traceback: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the user can mend is said in a sentence; a bug has its stack in the log and nowhere else."""
    status = RunStatus()

    with caplog.at_level(logging.ERROR):
        status.fail(error)

    message = status.message(None, [])
    assert (message.phase, message.failure) == (Phase.PHASE_FAILED, said)
    assert bool(caplog.records[0].exc_info) == traceback


async def test_a_change_is_not_missed_between_the_look_and_the_wait() -> None:
    """Who looked before it is woken, though they begin to wait after it."""
    status = RunStatus()
    change = status.wait_changed()

    status.enter(Phase.PHASE_SERVING)

    await change


def test_a_refusal_is_told_with_its_place() -> None:
    """An origin that is not known is empty."""
    refusals = (
        RejectedResource(resource="stock", reason="bad", origin=Origin(file="mesh.yaml", line=4)),
        RejectedResource(resource="edge", reason="worse", origin=None),
    )
    status = ConfigurationStatus(type_url="t", resources=3, acknowledged=1, rejections=refusals)

    message = configuration_message(status)

    assert (message.type_url, message.resources, message.acknowledged) == ("t", 3, 1)
    assert [(r.resource, r.reason, r.origin) for r in message.rejections] == [
        ("stock", "bad", "mesh.yaml:4:1"),
        ("edge", "worse", ""),
    ]
