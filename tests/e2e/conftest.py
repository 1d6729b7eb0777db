"""A small mesh of real processes, in a project and a run directory of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mesh import Mesh

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its stubs, made once."""
    root = tmp_path_factory.mktemp("generated") / "small"
    shutil.copytree(PROJECT, root)
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        Mesh(root, Path(run)).protomesh("proto", check=True)
    return root


@pytest.fixture
def mesh(generated: Path, tmp_path: Path) -> Iterator[Mesh]:
    """The project, not started. It is down at the end, whatever happened."""
    root = tmp_path / "small"
    shutil.copytree(generated, root)
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        mesh = Mesh(root, Path(run))
        yield mesh
        mesh.end()


@pytest.fixture(scope="module")
def running(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The project, up, for the tests of one module that leave it as it is."""
    root = tmp_path_factory.mktemp("running") / "small"
    shutil.copytree(generated, root)
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        mesh = Mesh(root, Path(run))
        mesh.protomesh("up", check=True)
        yield mesh
        mesh.end()
