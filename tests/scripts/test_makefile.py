import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str, cwd: Path = ROOT) -> str:
    """Runs make; returns all it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "VENV"}}
    done = subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_help_is_what_make_does_and_lists_every_verb() -> None:
    """A verb without a line of help can't be found."""
    verbs = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()

    assert make() == make("help")
    assert [verb for verb in verbs if not re.search(rf"^  make {verb} +\w", make("help"), re.MULTILINE)] == []


def test_down_needs_nothing_set_up(tmp_path: Path) -> None:
    """Nobody waits for an installation to be told that nothing runs."""
    shutil.copy(ROOT / "Makefile", tmp_path)

    assert make("down", cwd=tmp_path) == "Nothing is set up here.\n"


def test_no_variable_breaks_the_locale() -> None:
    """A make variable named LANG is handed to every child; nor is any other that programs take for theirs."""
    for makefile in (ROOT / "Makefile", ROOT / "protomesh/cli/template/Makefile"):
        names = re.findall(r"^(?:export )?([A-Z_]+) *[?:]?=", makefile.read_text(), re.MULTILINE)

        assert set(names) & {"LANG", "LC_ALL", "PATH", "HOME", "SHELL", "TERM"} == set()
