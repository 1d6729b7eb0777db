import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protomesh.clients import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
SCRIPT, PAGE, RESULTS = "scripts/clients-table", "docs/guides/clients.md", ".protomesh/clients"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout in which every language has just passed its tests."""
    for name in (SCRIPT, PAGE):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / RESULTS).mkdir(parents=True)
    for name in LANGUAGES:
        show(tmp_path, name)
    table(tmp_path)
    return tmp_path


def show(root: Path, name: str, **changes: object) -> None:
    """Leaves what tests of a language leave."""
    shown = {"language": name, "shows": ["gRPC"], "passed": 8, "failed": 0, "with": f"{name} 1.0"}
    (root / RESULTS / f"{name}.json").write_text(json.dumps(shown | changes))


def table(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the script."""
    return subprocess.run(
        [sys.executable, root / SCRIPT, *arguments], capture_output=True, text=True, check=not arguments
    )


def test_what_is_written_is_what_the_check_wants(root: Path) -> None:
    """Whatever the versions and the counts of a later run."""
    show(root, "go", passed=9, **{"with": "go 2.0"})

    assert table(root, "--check").returncode == 0
    assert (
        "| Go | module `<mesh>.mesh/client` | Go 1.26 | calls a mesh by gRPC | 8 tests, go 1.0 |\n"
        in (root / PAGE).read_text()
    )


def test_a_table_that_says_more_than_a_run_showed_is_found(root: Path) -> None:
    """As when a language is no longer called by gRPC-Web."""
    show(root, "typescript", shows=["gRPC", "gRPC-Web"])
    table(root)
    show(root, "typescript")

    done = table(root, "--check")

    assert (done.returncode, done.stderr) == (
        1,
        "docs/guides/clients.md does not say what the tests showed. Run scripts/clients-table.\n",
    )


def test_languages_without_a_result_are_named(root: Path) -> None:
    """Those that no test ran for, and those that failed: no table is made of them."""
    (root / RESULTS / "rust.json").unlink()
    show(root, "java", failed=2)

    done = table(root, "--check")

    assert (done.returncode, done.stderr) == (1, "no test ran for rust: pytest tests/clients\njava: 2 tests failed\n")
