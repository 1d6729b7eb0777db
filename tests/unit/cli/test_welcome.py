"""What `up` says at its end; tests/e2e/transcripts has it as a whole."""

import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.project import Project
from protomesh.cli.welcome import failure_text, welcome
from protomesh.model import Gateway, Layout, Origin, TcpAddress, Tls, Topology

State = admin.ServiceStatus.State
NOTHING_TO_TRY = Topology(name="shop", services={}, gateways=(), descriptors=b"", origin=Origin(file="mesh.yaml"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project; the command is on PATH."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return Project(tmp_path, Layout(run=PurePosixPath("/run/mesh"), state=PurePosixPath(tmp_path / ".protomesh")))


def lines_of(project: Project, *services: admin.ServiceStatus, gateways: tuple[Gateway, ...] = ()) -> list[str]:
    """What is said of these services."""
    topology = replace(NOTHING_TO_TRY, gateways=gateways)
    return welcome(admin.Status(mesh="shop", services=services), topology, project, "is up").splitlines()


def gateway(host: str, port: int, tls: Tls | None = None) -> Gateway:
    """One that listens there."""
    return Gateway(name="edge", listen=TcpAddress(host, port), tls=tls, origin=Origin(file="mesh.yaml"))


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (admin.ServiceStatus(state=State.STATE_SERVING, workers=[admin.WorkerStatus()]), "1 worker"),
        (admin.ServiceStatus(state=State.STATE_SERVING, workers=[admin.WorkerStatus()] * 2), "2 workers"),
        (admin.ServiceStatus(state=State.STATE_ATTACHED), "runs in a terminal"),
        (admin.ServiceStatus(state=State.STATE_EXTERNAL, endpoints=["10.0.0.1:9000"]), "runs at 10.0.0.1:9000"),
        (admin.ServiceStatus(state=State.STATE_BACKING_OFF, problem="exited"), "does not serve: exited"),
    ],
)
def test_each_service_has_a_line_of_what_runs(project: Project, service: admin.ServiceStatus, said: str) -> None:
    """Wherever it runs, and also if it does not."""
    service.name, service.edge_methods, service.internal_methods = "stock", 3, 2

    assert f"  stock  3 at the edge, 2 internal  {said}" in lines_of(project, service)


def test_columns_line_up(project: Project) -> None:
    """Names and counts differ in length."""
    state = State.STATE_EXTERNAL
    rows = [
        admin.ServiceStatus(name="a", edge_methods=1, state=state, endpoints=["x:1"]),
        admin.ServiceStatus(name="orders", edge_methods=12, internal_methods=10, state=state, endpoints=["x:1"]),
    ]

    first, second = lines_of(project, *rows)[2:4]

    assert first.index("runs at") == second.index("runs at")
    assert first.index("1 at") == second.index("12 at")


def test_every_way_in_is_shown(project: Project) -> None:
    """Each gateway, the operator's socket, and the logs as they are reached from the project."""
    tls = Tls(certificate="edge.pem", key="edge.key")
    lines = lines_of(project, gateways=(gateway("127.0.0.1", 8080), gateway("::1", 8443, tls)))

    assert [line.split()[:2] for line in lines if line.startswith(("  edge", "  operator", "  logs"))] == [
        ["edge", "127.0.0.1:8080"],
        ["edge", "[::1]:8443"],
        ["operator", "unix:/run/mesh/operator.sock"],
        ["logs", ".protomesh/logs"],
    ]
    assert [line.endswith("REST over TLS") for line in lines if line.startswith("  edge")] == [False, True]
    assert not any(line.startswith("  CA") for line in lines)


def test_who_has_to_be_trusted_is_shown(project: Project) -> None:
    """A development CA, where a gateway shows a certificate of it."""
    lines = lines_of(project, gateways=(gateway("127.0.0.1", 8443, Tls()),))

    assert next(line.split()[:2] for line in lines if line.startswith("  CA")) == ["CA", ".protomesh/tls/ca.pem"]


def test_a_mesh_without_an_edge_has_something_to_try(project: Project) -> None:
    """The operator reaches everything."""
    lines = lines_of(project)

    assert lines[lines.index("Try:") + 1 :] == [
        "  grpcurl -plaintext -unix -authority mesh /run/mesh/operator.sock list"
    ]


def failed(*services: admin.ServiceStatus) -> admin.Status:
    """A mesh that did not start."""
    return admin.Status(mesh="shop", failure="stock did not start: exited with status 1", services=services)


def test_a_failure_shows_the_last_words_of_who_failed(project: Project) -> None:
    """As they read on a terminal; who has none is not named."""
    text = failure_text(
        failed(
            admin.ServiceStatus(name="orders"),
            admin.ServiceStatus(name="stock", last_log_lines=['{"event": "no database", "level": "error"}', "bye"]),
        ),
        project,
        keep_going=False,
    )

    assert text.splitlines() == [
        "shop did not start.",
        "",
        "stock did not start: exited with status 1",
        "",
        "The end of .protomesh/logs/stock.log:",
        "stock | no database",
        "stock | bye",
        "",
        "Everything was stopped again. `protomesh up --keep-going` leaves the others running.",
    ]


def test_who_kept_going_is_not_told_to(project: Project) -> None:
    """It was asked for, and did not help."""
    text = failure_text(failed(admin.ServiceStatus(name="stock")), project, keep_going=True)

    assert text.endswith("Everything was stopped again.")


def test_what_failed_before_there_was_a_service_stopped_nothing(project: Project) -> None:
    """The project's directory stands for a mesh whose name was not read."""
    text = failure_text(admin.Status(failure="the port is taken"), project, keep_going=False)

    assert text == f"{project.root.name} did not start.\n\nthe port is taken"
