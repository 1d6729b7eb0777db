from pathlib import Path, PurePosixPath

import pytest

from protomesh.diagnostics import InvalidProject
from protomesh.model import Layout
from protomesh.targets.envoy import CLUSTER, apply_overrides, load_overrides, read_overlay, render
from protomesh.targets.envoy.merge import merge
from tests.integration.envoy.lab import lab_topology

LAYOUT = Layout(run=PurePosixPath("/run/lab"), state=PurePosixPath("/state"))


def project(root: Path, **files: str) -> Path:
    """A project with files in envoy/overrides."""
    folder = root / "envoy" / "overrides"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return root


def test_merging_sets_replaces_and_removes() -> None:
    """Fields one by one, lists whole, null to remove; neither side is changed."""
    base = {"a": {"b": 1, "c": [1, 2], "d": 1}, "e": 1}
    assert merge(base, {"a": {"b": 2, "c": [3], "d": None}, "f": {"g": None, "h": 1}}) == {
        "a": {"b": 2, "c": [3]},
        "e": 1,
        "f": {"h": 1},
    }
    assert base == {"a": {"b": 1, "c": [1, 2], "d": 1}, "e": 1}


def test_an_override_is_laid_over_the_resource_it_names(tmp_path: Path) -> None:
    """Later files win over earlier ones; a NACK of the resource leads to the override as well."""
    root = project(
        tmp_path,
        a="cluster:\n  lab:\n    connect_timeout: 3s\n    outlier_detection: {interval: 9s}\n",
        b="cluster:\n  lab: {connect_timeout: 5s, health_checks: null}\n",
    )
    configuration = render(lab_topology(), LAYOUT)
    before, after = (
        configuration.get(CLUSTER, "lab"),
        apply_overrides(configuration, load_overrides(root)).get(CLUSTER, "lab"),
    )
    assert before is not None
    assert after is not None
    assert after.body["connect_timeout"] == "5s"
    assert "health_checks" not in after.body
    assert after.body["outlier_detection"] == before.body["outlier_detection"] | {"interval": "9s"}
    assert str(after.origins["lab"]) == "envoy/overrides/b.yaml:2:3"
    assert after.needs == before.needs


def test_a_name_that_there_is_not_is_an_error_at_its_line(tmp_path: Path) -> None:
    """A misspelt override must not be a setting that silently does nothing."""
    root = project(tmp_path, a="cluster:\n  lab: {connect_timeout: 3s}\n  labb: {connect_timeout: 3s}\n")
    with pytest.raises(InvalidProject) as caught:
        apply_overrides(render(lab_topology(), LAYOUT), load_overrides(root))
    assert str(caught.value) == (
        "envoy/overrides/a.yaml:3:3: OVERRIDE_OF_NOTHING there is no cluster 'labb'. Did you mean lab?"
    )


def test_all_problems_of_all_files_are_told(tmp_path: Path) -> None:
    """Each with its place and what to do."""
    root = project(
        tmp_path, a="clusters:\n  lab: {}\n", b="cluster: [lab]\n", c="listener:\n  edge: 1\n", d="a: [1\n", e="- 1\n"
    )
    with pytest.raises(InvalidProject) as caught:
        load_overrides(root)
    lines = str(caught.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "envoy/overrides/a.yaml:1:1:",
        "envoy/overrides/b.yaml:1:1:",
        "envoy/overrides/c.yaml:2:3:",
        "envoy/overrides/d.yaml:2:1:",
        "envoy/overrides/e.yaml:1:1:",
    ]
    assert "Did you mean cluster?" in lines[0]


def test_a_project_needs_no_overrides(tmp_path: Path) -> None:
    """Nor an overlay of the bootstrap."""
    assert load_overrides(tmp_path) == ()
    assert read_overlay(tmp_path) == {}


def test_the_overlay_is_plain_data(tmp_path: Path) -> None:
    """What the YAML library makes of it stays behind."""
    (tmp_path / "envoy").mkdir()
    (tmp_path / "envoy" / "bootstrap.yaml").write_text("a: {b: [1, {c: 2}]}\n", encoding="utf-8")
    overlay = read_overlay(tmp_path)
    assert overlay == {"a": {"b": [1, {"c": 2}]}}
    assert (type(overlay["a"]), type(overlay["a"]["b"])) == (dict, list)
    (tmp_path / "envoy" / "bootstrap.yaml").write_text("a: [\n", encoding="utf-8")
    with pytest.raises(InvalidProject, match=r"^envoy/bootstrap\.yaml:2:1: ENVOY_YAML"):
        read_overlay(tmp_path)
