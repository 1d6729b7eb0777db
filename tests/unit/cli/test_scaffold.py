import compileall
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from protomesh.cli.scaffold import Occupied, lay_down, project_name

TEMPLATE = Path(__file__).parents[3] / "protomesh/cli/template"


def test_every_file_of_the_template_is_laid_down(tmp_path: Path) -> None:
    """Hidden ones too: editor settings, the CI workflow, .gitignore."""
    written = lay_down(tmp_path / "mine")

    expected = [path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {tmp_path / "mine" / path.relative_to(TEMPLATE) for path in expected} == set(written)
    assert written == sorted(written)
    assert tmp_path / "mine/.github/workflows/ci.yaml" in written


def test_the_projects_name_and_our_version_are_filled_in(tmp_path: Path) -> None:
    """No placeholder is left, and shell and YAML keep their own dollar signs."""
    written = lay_down(tmp_path / "Corner Shop")

    assert not [path for path in written if "{{name" in path.read_text() or "{{version" in path.read_text()]
    mesh = (tmp_path / "Corner Shop/mesh.yaml").read_text()
    assert "name: corner-shop\n" in mesh
    assert "${PORT:-8080}" in mesh
    assert metadata.version("protomesh") in (tmp_path / "Corner Shop/requirements.txt").read_text()


def test_a_file_in_the_way_stops_everything(tmp_path: Path) -> None:
    """Nothing is overwritten and nothing half-written; the message names the files."""
    (tmp_path / "Makefile").write_text("mine")
    (tmp_path / "README.md").write_text("mine")

    with pytest.raises(Occupied, match=r"already has Makefile, README\.md"):
        lay_down(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "README.md"]
    assert (tmp_path / "Makefile").read_text() == "mine"


def test_files_that_are_not_in_the_way_stay(tmp_path: Path) -> None:
    """A fresh clone with a licence and a .git is a good place to begin."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "LICENSE").write_text("mine")

    lay_down(tmp_path, "greetings")

    assert (tmp_path / "LICENSE").read_text() == "mine"
    assert "name: greetings\n" in (tmp_path / "mesh.yaml").read_text()


def test_what_pip_compiled_is_not_laid_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip compiles every .py of a wheel, those of the template too."""
    package = tmp_path / "installed"
    shutil.copytree(TEMPLATE, package / "template")
    compileall.compile_dir(package, quiet=1)
    assert list(package.rglob("*.pyc"))
    monkeypatch.setattr("protomesh.cli.scaffold.files", lambda _: package)

    assert not [path for path in lay_down(tmp_path / "mine") if path.suffix == ".pyc"]


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("shop", "shop"),
        ("My_Shop 2", "my-shop-2"),
        ("2shops", "mesh-2shops"),
        ("店", "mesh"),
        ("-x-", "x"),
        ("a" * 31 + "-b", "a" * 31),
    ],
)
def test_a_directorys_name_becomes_one_that_mesh_yaml_allows(directory: str, name: str, tmp_path: Path) -> None:
    """Letters, digits and hyphens, a letter first, at most 32."""
    assert project_name(tmp_path / directory) == name
