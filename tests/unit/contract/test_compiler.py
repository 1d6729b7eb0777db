import itertools
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protomesh.contract import compile_project
from protomesh.diagnostics import InvalidProject
from protomesh.model import Audience, Method, TcpAddress

CLOCK = """\
syntax = "proto3";

package clock.v1;

import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service ClockService {
  rpc GetTime(Time) returns (Time) {
    option (google.api.http) = {
      get: "/v1/**/time/*"
      additional_bindings {get: "/v1/time"}
      additional_bindings {get: "/v1/now"}
    };
    option (protomesh.v1.method) = {
      timeout: "2s"
      audience: AUDIENCE_USER
      scopes: "clock.read"
      rate_limit: {requests: 50, per: "1s"}
    };
  }
}

message Time {}
"""
MESH = """\
name: demo
gateways: [{listen: "127.0.0.1:${PORT:-8080}"}]
services:
  clock: {run: clock.app:app, serves: [clock.v1.ClockService]}
"""
GET_TIME = "clock.v1.ClockService/GetTime"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One service with one method that has every policy."""
    return lay_down(tmp_path)


def test_variables_are_the_processs_own_unless_given(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT=9080 protomesh up` needs no flag."""
    monkeypatch.setenv("PORT", "9080")
    assert compile_project(project).topology.gateways[0].listen == TcpAddress("127.0.0.1", 9080)
    assert compile_project(project, variables={}).topology.gateways[0].listen == TcpAddress("127.0.0.1", 8080)


def test_the_same_project_compiles_to_the_same_topology(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever it lies, byte for byte: what is made of it can be compared and reviewed."""
    elsewhere = lay_down(tmp_path_factory.mktemp("elsewhere"))
    assert compile_project(project, variables={}).topology == compile_project(elsewhere, variables={}).topology


def test_problems_of_contracts_and_of_mesh_yaml_are_told_together(project: Path) -> None:
    """A user corrects both before the next try."""
    (project / "mesh.yaml").write_text("nmae: demo\n")
    (project / "protos/clock.proto").write_text("nonsense")
    with pytest.raises(InvalidProject) as raised:
        compile_project(project, variables={})
    assert {d.rule for d in raised.value.problems} == {"UNKNOWN_KEY", "MISSING_KEY", "PROTO_SYNTAX"}


def test_only_the_refused_binding_is_left_out_of_the_descriptors(project: Path) -> None:
    """The first one is; the others are served, and whoever reads the descriptors sees just them."""
    rule = descriptor(project).options.Extensions[annotations_pb2.http]
    assert (rule.get, [binding.get for binding in rule.additional_bindings]) == ("/v1/time", ["/v1/now"])


def test_a_method_without_an_edge_has_no_rest_path(project: Path) -> None:
    """An overlay that makes it INTERNAL takes its bindings and scopes away too."""
    (project / "mesh.yaml").write_text(f"{MESH}overrides:\n  {GET_TIME}: {{audience: INTERNAL}}\n")
    assert not descriptor(project).options.HasExtension(annotations_pb2.http)
    assert (method(project).rest, method(project).scopes) == ((), ())


@pytest.mark.parametrize("name", ["../x", "Prod", "", "base/x"])
def test_an_environment_is_a_plain_name(project: Path, name: str) -> None:
    """It becomes part of a file's name."""
    with pytest.raises(InvalidProject, match="not the name of an environment"):
        compile_project(project, environment=name, variables={})


def test_a_missing_overlay_is_no_silent_base(project: Path) -> None:
    """A typo in --env must not start the wrong configuration."""
    with pytest.raises(InvalidProject, match=r"there is no mesh\.prod\.yaml"):
        compile_project(project, environment="prod", variables={})


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["bytes", "folder"])
def test_a_mesh_yaml_that_is_no_text_is_a_problem_and_no_crash(project: Path, content: bytes | None) -> None:
    """Whatever lies there, the user gets a sentence."""
    (project / "mesh.yaml").unlink()
    if content is None:
        (project / "mesh.yaml").mkdir()
    else:
        (project / "mesh.yaml").write_bytes(content)
    with pytest.raises(InvalidProject, match="NO_MESH_YAML"):
        compile_project(project, variables={})


def test_a_mark_at_the_beginning_of_mesh_yaml_is_no_key(project: Path) -> None:
    """Some editors write one."""
    (project / "mesh.yaml").write_text(MESH, encoding="utf-8-sig")
    assert compile_project(project, variables={}).topology.name == "demo"


OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from(["500ms", "1s", "2s", "3s"]),
        "audience": st.sampled_from(["INTERNAL", "USER", "PUBLIC"]),
        "rate_limit": st.sampled_from(
            ["{requests: 5, per: 1s}", "{requests: 50, per: 1m}", "{requests: 50, per: 100ms}"]
        ),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.dictionaries(st.sampled_from(["clock.v1.ClockService", GET_TIME]), OVERRIDES),
    overlay=st.dictionaries(st.sampled_from(["clock.v1.ClockService", GET_TIME]), OVERRIDES),
)
def test_an_overlay_lowers_or_is_refused(
    project: Path, base: dict[str, dict[str, str]], overlay: dict[str, dict[str, str]]
) -> None:
    """Whatever is written, nobody ends with more than the contract allows, nor with more than mesh.yaml left."""
    (project / "mesh.yaml").write_text(MESH + written(base))
    (project / "mesh.prod.yaml").write_text(written(overlay))
    if rules := refused_for(project):
        assert rules == {"OVERLAY_WIDENS"}
        return
    width = (Audience.INTERNAL, Audience.USER, Audience.PUBLIC)
    chain = [
        (timedelta(seconds=2), Audience.USER, (50, 50.0)),
        *map(policy, (method(project), method(project, "prod"))),
    ]
    for (timeout, audience, rate), (later, narrower, less) in itertools.pairwise(chain):
        assert later <= timeout
        assert width.index(narrower) <= width.index(audience)
        assert (less[0] <= rate[0], less[1] <= rate[1]) == (True, True)


def refused_for(project: Path) -> set[str]:
    """The rules that refuse the project, in either environment."""
    try:
        compile_project(project, environment="prod", variables={})
    except InvalidProject as invalid:
        return {problem.rule for problem in invalid.problems.errors}
    return set()


def policy(found: Method) -> tuple[timedelta, Audience, tuple[int, float]]:
    """What can be compared of a method: deadline, audience, burst and rate."""
    limit = found.rate_limit
    assert limit is not None
    assert found.timeout is not None
    return found.timeout, found.audience, (limit.requests, limit.requests / limit.per.total_seconds())


def written(overrides: Mapping[str, Mapping[str, str]]) -> str:
    """The section `overrides` of mesh.yaml."""
    lines = [
        f"  {key}: {{{', '.join(f'{name}: {v}' for name, v in value.items())}}}" for key, value in overrides.items()
    ]
    return "\n".join(["overrides:", *lines, ""]) if lines else ""


def lay_down(root: Path) -> Path:
    """Writes the project."""
    (root / "protos").mkdir()
    (root / "protos/clock.proto").write_text(CLOCK)
    (root / "mesh.yaml").write_text(MESH)
    return root


def method(project: Path, environment: str = "base") -> Method:
    """The project's one method."""
    found = compile_project(project, environment=environment, variables={}).topology.find(GET_TIME)
    assert found is not None
    return found[1]


def descriptor(project: Path) -> MethodDescriptorProto:
    """The same, as the topology's descriptors have it."""
    files = FileDescriptorSet.FromString(compile_project(project, variables={}).topology.descriptors)
    (file,) = (file for file in files.file if file.name == "clock.proto")
    return file.service[0].method[0]
