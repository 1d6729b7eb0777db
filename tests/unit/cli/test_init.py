from pathlib import Path

import pytest

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.init import init


def test_a_directory_with_files_is_refused(tmp_path: Path) -> None:
    """Nothing of the user's is mixed with the template."""
    (tmp_path / "notes.txt").touch()

    with pytest.raises(Failure, match="is not empty") as caught:
        init(tmp_path, None)

    assert caught.value.code == ExitCode.INVALID
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_name_that_no_host_can_have_is_refused(tmp_path: Path) -> None:
    """It becomes part of Envoy's node and of addresses."""
    with pytest.raises(Failure, match="lower case letters"):
        init(tmp_path / "new", "My Mesh")

    assert not (tmp_path / "new").exists()


def test_a_new_project_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two commands, as everywhere."""
    init(tmp_path / "greeter", "hello")

    assert "name: hello" in (tmp_path / "greeter" / "mesh.yaml").read_text()
    assert capsys.readouterr().out.endswith(f"  cd {tmp_path / 'greeter'}\n  make up\n")
