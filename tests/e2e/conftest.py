"""A small mesh of real processes, in a project and a run directory of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mesh import Mesh, mesh_of
from tests.e2e.transcript import Transcript

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its stubs, made once."""
    root = tmp_path_factory.mktemp("generated") / "small"
    shutil.copytree(PROJECT, root)
    with mesh_of(root) as mesh:
        mesh.protomesh("proto", check=True)
    return root


@pytest.fixture
def mesh(generated: Path, tmp_path: Path) -> Iterator[Mesh]:
    """The project, not started. It is down at the end, whatever happened."""
    root = tmp_path / "small"
    shutil.copytree(generated, root)
    with mesh_of(root) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def running(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The project, up, for the tests of one module that leave it as it is."""
    root = tmp_path_factory.mktemp("running") / "small"
    shutil.copytree(generated, root)
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
        yield mesh


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> Transcript:
    """Compares with the golden files, or with --update-golden writes them."""
    return Transcript(update=bool(request.config.getoption("--update-golden", default=False)))
