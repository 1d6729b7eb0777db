import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from protomesh.contract.include import materialize

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "protos/shop/catalog/v1/catalog.proto"


@dataclass(frozen=True)
class Clone:
    """A repository with this one's contracts, to change at will."""

    path: Path

    def git(self, *arguments: str) -> None:
        """Runs git as somebody, without the machine's own configuration."""
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments],
            cwd=self.path,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            check=True,
            capture_output=True,
        )

    def commit(self) -> None:
        """Commits everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")

    def edit(self, pattern: str, replacement: str) -> None:
        """Changes the first place in a contract that fits the pattern."""
        contract = self.path / CONTRACT
        changed, count = re.subn(pattern, replacement, contract.read_text(), count=1)
        assert count == 1
        contract.write_text(changed)

    def run(self, *command: str, base: str | None = None) -> tuple[int, str]:
        """Runs a tool in the clone; returns its exit code and all it printed."""
        environment = {name: value for name, value in os.environ.items() if name != "BASE"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        if base:
            environment["BASE"] = base
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def breaking(self, base: str | None = None) -> tuple[int, str]:
        """Runs the check of this repository."""
        return self.run(sys.executable, "scripts/breaking", base=base)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A repository whose one commit on main has today's contracts."""
    for name in ("protos", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("buf.yaml", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    clone = Clone(tmp_path)
    clone.git("init", "--quiet", "--initial-branch", "main")
    clone.commit()
    return clone


def test_our_contracts_pass_buf_lint_standard(clone: Clone) -> None:
    """Every contract follows buf's STANDARD rules, with what it imports not judged."""
    materialize(clone.path)

    assert clone.run("buf", "lint") == (0, "")


def test_a_badly_named_field_fails_the_lint(clone: Clone) -> None:
    """The lint looks at our contracts and not only at their imports."""
    materialize(clone.path)
    clone.edit(r"string description = (\d+)", r"string fullDescription = \1")

    status, output = clone.run("buf", "lint")

    assert status == 100
    assert "fullDescription" in output


def test_a_renumbered_field_is_red(clone: Clone) -> None:
    """On a branch the contracts are compared with where it left main."""
    clone.git("switch", "--quiet", "--create", "branch")
    clone.edit(r"string description = \d+", "string description = 99")
    clone.commit()

    status, output = clone.breaking()

    assert status == 1
    assert f"{CONTRACT}:" in output
    assert '"description"' in output


def test_a_break_that_is_not_committed_yet_is_red(clone: Clone) -> None:
    """The working tree counts, so that the check speaks before the commit."""
    clone.git("switch", "--quiet", "--create", "branch")
    clone.commit()
    clone.edit(r"string description = \d+", "string description = 99")

    assert clone.breaking()[0] == 1


def test_an_added_field_is_green(clone: Clone) -> None:
    """A contract may grow."""
    clone.git("switch", "--quiet", "--create", "branch")
    clone.edit(r"( *)string description = (\d+)", r"\1string subtitle = 99;\n\1string description = \2")
    clone.commit()

    status, output = clone.breaking()

    assert status == 0
    assert output.startswith("compared with ")


def test_what_main_did_after_the_branch_left_is_not_the_branchs_doing(clone: Clone) -> None:
    """A field that main has gained meanwhile is not taken for one that the branch removed."""
    clone.git("switch", "--quiet", "--create", "branch")
    clone.commit()
    clone.git("switch", "--quiet", "main")
    clone.edit(r"( *)string description = (\d+)", r"\1string subtitle = 99;\n\1string description = \2")
    clone.commit()
    clone.git("switch", "--quiet", "branch")

    assert clone.breaking()[0] == 0


def test_no_base_is_an_error_and_not_a_pass(clone: Clone) -> None:
    """The first commit has nothing before it: nothing was compared, so nothing has passed."""
    status, output = clone.breaking()

    assert status == 2
    assert "BASE=COMMIT" in output


def test_a_base_that_git_does_not_know_is_an_error(clone: Clone) -> None:
    """A misspelled BASE is not silently replaced by another."""
    status, output = clone.breaking(base="v9.9")

    assert status == 2
    assert "BASE is v9.9" in output


def test_main_is_compared_with_the_commit_before(clone: Clone) -> None:
    """Without a release, main's last commit is what a push brings."""
    clone.edit(r"string description = \d+", "string description = 99")
    clone.commit()

    assert clone.breaking()[0] == 1


def test_main_is_compared_with_the_last_release(clone: Clone) -> None:
    """A break is seen however many commits ago it was made, until the next release."""
    clone.git("tag", "v1.0.0")
    clone.edit(r"string description = \d+", "string description = 99")
    clone.commit()
    clone.commit()

    status, output = clone.breaking()

    assert status == 1
    assert "compared with v1.0.0" in output


def test_a_contract_that_does_not_compile_is_not_called_a_break(clone: Clone) -> None:
    """What could not be compared has its own exit code."""
    clone.commit()
    clone.edit(r"string description = \d+", "strin description = 3")

    assert clone.breaking()[0] == 2


def test_contracts_that_are_all_new_break_nothing(clone: Clone) -> None:
    """A base from before the first contract is a base."""
    clone.git("rm", "-r", "--quiet", "--cached", "protos")
    clone.git("commit", "--quiet", "--amend", "--message", "none")
    clone.git("switch", "--quiet", "--create", "branch")
    clone.commit()

    status, output = clone.breaking()

    assert status == 0
    assert "has no contracts yet" in output
