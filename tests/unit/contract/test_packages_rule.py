import sys
from pathlib import Path

import pytest

from protomesh.contract.lint.packages import _hiding


def test_a_package_or_module_of_the_project_hides(tmp_path: Path) -> None:
    """The project's folder comes first on the path of every worker."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/__init__.py").touch()
    (tmp_path / "other.py").touch()
    assert [_hiding(tmp_path, name) for name in ("acme", "other")] == ["acme/__init__.py", "other.py"]


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    """Python merges it with the stubs: protos/acme and acme/ beside it are a common layout."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme/service.py").touch()
    assert _hiding(tmp_path, "acme") is None


def test_an_installed_package_hides_and_the_stubs_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """generated/python is where the stubs themselves lie."""
    for folder, name in (("site", "acme"), ("generated/python", "shop")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "__init__.py").touch()
        monkeypatch.setattr(sys, "path", [str(tmp_path / folder), *sys.path])
    assert [_hiding(tmp_path, name) for name in ("acme", "shop")] == ["installed", None]


def test_pythons_own_modules_hide(tmp_path: Path) -> None:
    """A proto package email.v1 can't be imported from Python."""
    assert _hiding(tmp_path, "email") == "of Python's own library"
