import sys
from pathlib import Path

import pytest

from protomesh.clients.tools import ToolFailed, ToolMissing, Tools


def test_what_is_missing_is_named_with_what_to_install(tmp_path: Path) -> None:
    """The program, and the hint."""
    with pytest.raises(ToolMissing, match="there is no protoc-gen-nothing: install nothing"):
        Tools(tmp_path).find("protoc-gen-nothing", "install nothing")


def test_tools_are_installed_once_for_each_set_of_versions(tmp_path: Path) -> None:
    """Other versions have another folder."""
    installed: list[Path] = []

    def install(folder: Path) -> None:
        installed.append(folder)
        (folder / "tool").touch()

    folders = [Tools(tmp_path).installed("any", {"tool": version}, install) for version in ("1", "1", "2")]

    assert folders[0] == folders[1] != folders[2]
    assert len(installed) == 2
    assert all((folder / "tool").exists() for folder in folders)


def test_an_installation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The next one starts afresh."""

    def install(folder: Path) -> None:
        (folder / "half").touch()
        raise ToolFailed("no network")

    with pytest.raises(ToolFailed):
        Tools(tmp_path).installed("any", {}, install)

    assert list((tmp_path / ".protomesh/tools").iterdir()) == []


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    """Its last lines."""
    with pytest.raises(ToolFailed, match="failed:\nlow on luck"):
        Tools(tmp_path).run([sys.executable, "-c", "raise SystemExit('low on luck')"], cwd=tmp_path)
