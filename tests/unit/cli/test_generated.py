from pathlib import Path, PurePosixPath

import pytest

from protomesh.cli.generated import generate, stale
from protomesh.cli.project import Project
from protomesh.diagnostics import InvalidProject
from protomesh.model import Layout

MESH = """\
name: x
gateways: [{listen: "127.0.0.1:${PORT:-8080}"}]
contracts: {clock.v1: {timeout: 2s}}
services:
  clock: {command: ["./clock"], serves: [clock.v1.ClockService], env: {TOKEN: "${TOKEN}"}}
"""
CONTRACT = """\
syntax = "proto3";
package clock.v1;

// Tells the time.
service ClockService {
  // Gets the time.
  rpc GetTime(GetTimeRequest) returns (GetTimeResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}

message GetTimeRequest {}

message GetTimeResponse {}
"""


def test_a_variable_without_a_default_is_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with a default has that, whatever is set: `generated/` is the same everywhere. No secret is in it."""
    (tmp_path / "mesh.yaml").write_text(MESH)
    (tmp_path / "protos/clock/v1").mkdir(parents=True)
    (tmp_path / "protos/clock/v1/clock_service.proto").write_text(CONTRACT)
    project = Project(tmp_path, Layout(run=PurePosixPath(tmp_path / "run"), state=PurePosixPath(tmp_path / "state")))
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(InvalidProject, match="UNSET_VARIABLE"):
        generate(project)

    monkeypatch.setenv("TOKEN", "hunter2")
    monkeypatch.setenv("PORT", "9090")
    assert generate(project)
    made = "".join(path.read_text() for path in (tmp_path / "generated").rglob("*") if path.is_file())
    assert "8080" in made
    assert "9090" not in made
    assert "hunter2" not in made
    assert stale(project) == []
