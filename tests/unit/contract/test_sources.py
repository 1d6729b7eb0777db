import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protomesh.contract.sources import compile_protos, proto_files
from protomesh.diagnostics import InvalidProject

CLOCK = 'syntax = "proto3";\npackage clock.v1;\nimport "clock/v1/tick.proto";\nmessage Clock { Tick tick = 1; }\n'
TICK = 'syntax = "proto3";\npackage clock.v1;\n// One of many.\nmessage Tick {}\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two contracts, one of which imports the other."""
    (tmp_path / "protos/clock/v1").mkdir(parents=True)
    (tmp_path / "protos/clock/v1/clock.proto").write_text(CLOCK)
    (tmp_path / "protos/clock/v1/tick.proto").write_text(TICK)
    return tmp_path


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each time that protoc runs."""
    runs: list[Any] = []
    run: Callable[..., Any] = subprocess.run

    def counted(*args: Any, **kwargs: Any) -> Any:
        runs.append(args)
        return run(*args, **kwargs)

    monkeypatch.setattr(subprocess, "run", counted)
    return runs


def test_a_file_follows_what_it_imports_and_keeps_its_comments(project: Path) -> None:
    """So that readers can load them in order, and docs can show the comments."""
    files = compile_protos(project).file
    names = [file.name for file in files]
    assert names.index("clock/v1/tick.proto") < names.index("clock/v1/clock.proto")
    tick = files[names.index("clock/v1/tick.proto")]
    assert " One of many.\n" in [location.leading_comments for location in tick.source_code_info.location]


def test_the_details_of_errors_are_always_there(project: Path) -> None:
    """Envoy's transcoder writes an error as JSON only if it knows these types."""
    names = {file.name for file in compile_protos(project).file}
    assert {"google/rpc/status.proto", "google/rpc/error_details.proto", "google/protobuf/any.proto"} <= names


def test_protoc_runs_only_when_a_contract_changed(project: Path, compilations: list[Any]) -> None:
    """By content: a touched file is the same file."""
    first = compile_protos(project)
    tick = project / "protos/clock/v1/tick.proto"
    tick.write_text(TICK)
    assert (compile_protos(project), len(compilations)) == (first, 1)
    tick.write_text(TICK + "message Tock {}\n")
    assert len(compile_protos(project).file[-1].message_type) == 1
    assert len(compilations) == 2
    assert len(list((project / ".protomesh/cache").iterdir())) == 1


@pytest.mark.parametrize("keep", [0, 1, 2, 7])
def test_a_damaged_cache_is_compiled_anew(project: Path, keep: int) -> None:
    """A power failure may leave any beginning of the file, even one that decodes."""
    whole = compile_protos(project)
    (cached,) = (project / ".protomesh/cache").iterdir()
    cached.write_bytes(cached.read_bytes()[: keep * len(cached.read_bytes()) // 8])
    assert compile_protos(project) == whole


def test_a_refused_contract_leaves_nothing_behind(project: Path) -> None:
    """Neither a half-written cache nor the good one lost."""
    compile_protos(project)
    cached = list((project / ".protomesh/cache").iterdir())
    (project / "protos/clock/v1/clock.proto").write_text(CLOCK.replace("Tick tick", "Tock tick"))
    with pytest.raises(InvalidProject) as raised:
        compile_protos(project)
    assert [str(d.origin) for d in raised.value.problems] == ["protos/clock/v1/clock.proto:4:17"]
    assert list((project / ".protomesh/cache").iterdir()) == cached


def test_every_message_of_protoc_is_a_problem_of_its_own(project: Path) -> None:
    """With its line, whether protoc names the file by its import or by its whole path."""
    (project / "protos/clock/v1/tick.proto").write_text("nonsense\n")
    with pytest.raises(InvalidProject) as raised:
        compile_protos(project)
    assert {d.origin.file for d in raised.value.problems} >= {"protos/clock/v1/tick.proto"}
    assert {d.rule for d in raised.value.problems} == {"PROTO_SYNTAX"}


def test_without_contracts_the_user_is_told_where_they_belong(tmp_path: Path) -> None:
    """A folder without protos/ is no project."""
    assert proto_files(tmp_path) == []
    with pytest.raises(InvalidProject, match="Put contracts in protos/"):
        compile_protos(tmp_path)
