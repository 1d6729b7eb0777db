import subprocess
import sys
from pathlib import Path

import pytest

from protomesh.cli import main as command
from protomesh.cli.exits import ExitCode


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["protomesh", *arguments])
    with pytest.raises(SystemExit) as caught:
        command.main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize("verb", ["down", "status", "restart", "call", "run"])
def test_a_verb_for_a_running_mesh_says_that_none_runs(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts tell it apart by the exit code."""
    (tmp_path / "mesh.yaml").write_text("name: x\n")
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    arguments = {"restart": ["catalog"], "call": ["GetProduct"], "run": ["catalog"]}.get(verb, [])

    code = run(monkeypatch, verb, "--project", str(tmp_path), *arguments)

    if verb == "run":  # it reads mesh.yaml first, to know what to start
        assert code == ExitCode.INVALID
    else:
        assert code == ExitCode.NOT_RUNNING
        assert "no mesh runs for" in capsys.readouterr().err


def test_outside_of_a_project_every_verb_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how to get one."""
    monkeypatch.chdir(tmp_path)

    assert run(monkeypatch, "up") == ExitCode.INVALID
    assert "protomesh init DIR" in capsys.readouterr().err


def test_a_project_is_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As git finds its repository."""
    (tmp_path / "mesh.yaml").write_text("name: x\n")
    (tmp_path / "services").mkdir()
    monkeypatch.chdir(tmp_path / "services")

    assert run(monkeypatch, "status") == ExitCode.NOT_RUNNING
    assert str(tmp_path) in capsys.readouterr().err


def test_an_unknown_option_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The input was wrong."""
    assert run(monkeypatch, "up", "--faster") == ExitCode.INVALID


def test_help_imports_neither_grpc_nor_rich() -> None:
    """It must be there at once, so it must not pull in the mesh."""
    code = (
        "import sys; sys.argv = ['protomesh', '--help']\n"
        "from protomesh.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'rich', 'google.protobuf', 'pydantic', 'watchfiles'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"
    assert "  up " in done.stdout
