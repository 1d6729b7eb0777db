"""What `check --security` lists, and whom `explain` names."""

import json
from pathlib import Path

import pytest

from protomesh.cli.check import check_security
from protomesh.cli.explain import explain
from protomesh.cli.security import exposures, kinds
from protomesh.contract import compile_project
from protomesh.targets.envoy import load_overrides

CONTRACT = """\
syntax = "proto3";

package desk.v1;

import "protomesh/v1/options.proto";

service DeskService {
  option (protomesh.v1.service) = {timeout: "2s"};
  rpc Look(LookRequest) returns (LookResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC};
  }
  rpc Sit(SitRequest) returns (SitResponse) {
    option (protomesh.v1.method) = {audience: AUDIENCE_USER};
  }
  rpc Stand(StandRequest) returns (StandResponse) {
    option (protomesh.v1.method) = {
      audience: AUDIENCE_USER
      scopes: "desk.use"
      rate_limit: {requests: 5, per: "1s"}
    };
  }
  rpc Move(MoveRequest) returns (MoveResponse);
}
message LookRequest {}
message LookResponse {}
message SitRequest {}
message SitResponse {}
message StandRequest {}
message StandResponse {}
message MoveRequest {}
message MoveResponse {}
"""
MESH = """\
name: office
gateways:
  - listen: "127.0.0.1:8080"
    routes: [{prefix: /old/, service: attic}, {prefix: /, files: web}]
  - {listen: "127.0.0.1:8443", tls: dev}
auth: {issuer: "https://office.test", audience: office, jwks: {service: desk}}
services:
  desk: {run: "desk.app:app", serves: [desk.v1.DeskService]}
  mover: {run: "mover.app:app", calls: [desk/Move]}
  attic: {address: "10.1.2.3:80", protocol: http1}
overrides:
  desk.v1.DeskService/Stand: {timeout: 1s}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with something of every kind."""
    (tmp_path / "protos/desk/v1").mkdir(parents=True)
    (tmp_path / "protos/desk/v1/desk.proto").write_text(CONTRACT)
    (tmp_path / "mesh.yaml").write_text(MESH)
    (tmp_path / "envoy/overrides").mkdir(parents=True)
    (tmp_path / "envoy/overrides/slow.yaml").write_text("cluster:\n  desk:\n    connect_timeout: 3s\n")
    (tmp_path / "envoy/bootstrap.yaml").write_text("stats_flush_interval: 1s\n")
    return tmp_path


def test_everything_that_is_open_is_listed_with_its_line(project: Path) -> None:
    """And nothing that is closed: Move is INTERNAL, Stand wants a scope and has a limit, the second gateway has TLS."""
    topology = compile_project(project, variables={}).topology
    found = exposures(topology, load_overrides(project), project)
    contract = "protos/desk/v1/desk.proto"
    listed = {kind: [(each.what, f"{each.origin.file}:{each.origin.line}") for each in of] for kind, of in kinds(found)}
    assert list(listed.values()) == [
        [("desk.v1.DeskService/Look", f"{contract}:11")],
        [("desk.v1.DeskService/Sit", f"{contract}:13")],
        [("desk.v1.DeskService/Sit", f"{contract}:14")],
        [("calls to attic at 10.1.2.3:80", "mesh.yaml:10"), ("gateway edge at 127.0.0.1:8080", "mesh.yaml:3")],
        [("/old/ to attic", "mesh.yaml:4")],
        [("web at /", "mesh.yaml:4")],
        [("mover calls desk: no mtls; it has no user of its own", "mesh.yaml:9")],
        [
            ("desk.v1.DeskService/Stand: timeout", "mesh.yaml:12"),
            ("Envoy's cluster desk", "envoy/overrides/slow.yaml:2"),
            ("Envoy's bootstrap", "envoy/bootstrap.yaml:1"),
        ],
    ]


@pytest.mark.parametrize(
    ("desk", "mover", "doubts"),
    [
        ("", "", ["it has no user of its own"]),
        ("", ", user: mover", ["desk runs as who runs the mesh, and can be anybody"]),
        (", user: mover", ", user: mover", ["desk has the same user"]),
        (", user: desk", ", user: mover", []),
    ],
)
def test_a_caller_is_proved_by_mtls_and_a_user_of_its_own(
    project: Path, desk: str, mover: str, doubts: list[str]
) -> None:
    """Whoever runs as another service's user, or as who runs the mesh, can read that one's key."""
    mesh = MESH.replace("name: office\n", "name: office\nmtls: true\n")
    mesh = mesh.replace("[desk.v1.DeskService]}", f"[desk.v1.DeskService]{desk}}}")
    (project / "mesh.yaml").write_text(mesh.replace("calls: [desk/Move]", f"calls: [desk/Move]{mover}"))
    found = exposures(compile_project(project, variables={}).topology, [], project)
    assert [each.what for each in found if " calls " in each.what] == [f"mover calls desk: {why}" for why in doubts]


def test_the_list_is_for_people_or_for_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A kind of which there is nothing is said, so that nobody wonders whether it was looked for."""
    check_security(project, "base", json=False)
    printed = capsys.readouterr().out
    assert "whoever shows a certificate of those named: 1\n  desk.v1.DeskService/Look" in printed
    (project / "envoy/overrides/slow.yaml").unlink()
    (project / "envoy/bootstrap.yaml").unlink()
    (project / "mesh.yaml").write_text(MESH.partition("overrides:")[0])
    check_security(project, "base", json=False)
    assert "Overrides of what the contracts say: none" in capsys.readouterr().out
    check_security(project, "base", json=True)
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["what"], first["file"], first["line"]) == (
        "desk.v1.DeskService/Look",
        "protos/desk/v1/desk.proto",
        11,
    )


def test_clients_with_certificates_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A PUBLIC method for certain programs is still listed, with their names; `explain` says where they come from."""
    mesh = MESH.replace("tls: dev", "tls: {clients: {ca: partners.pem}}")
    named = '  desk.v1.DeskService/Look: {clients: ["spiffe://a.test/b", c.test]}\n'
    (project / "mesh.yaml").write_text(mesh + named)
    check_security(project, "base", json=False)
    assert "desk.v1.DeskService/Look, by spiffe://a.test/b, c.test" in capsys.readouterr().out
    explain(project, "base", "Look", json=True)
    policy = [(v["name"], v["value"], v["source"]) for v in json.loads(capsys.readouterr().out)["policy"]]
    assert ("client", "spiffe://a.test/b", "mesh.yaml:13:30") in policy
    assert ("callers", "anybody with a certificate at the edge", "protos/desk/v1/desk.proto:11:37") in policy


@pytest.mark.parametrize(
    ("method", "callers"),
    [
        ("Look", ["anybody at the edge"]),
        ("Sit", ["users at the edge"]),
        ("Stand", ["users at the edge with the scopes desk.use"]),
        ("Move", ["mover"]),
    ],
)
def test_who_may_call_is_explained(
    project: Path, capsys: pytest.CaptureFixture[str], method: str, callers: list[str]
) -> None:
    """With the line that lets them; the operator always may."""
    explain(project, "base", method, json=True)
    policy = json.loads(capsys.readouterr().out)["policy"]
    named = {row["value"]: row["source"] for row in policy if row["name"] == "callers"}
    assert list(named) == [*callers, "the operator, by a socket of this user"]
    wanted = "mesh.yaml:9:" if method == "Move" else "protos/desk/v1/desk.proto:"
    assert named[callers[0]].startswith(wanted)
