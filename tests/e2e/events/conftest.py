"""A service that publishes, and one that learns of it, in a project of their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.mesh import Mesh, mesh_of

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its stubs."""
    root = tmp_path_factory.mktemp("made") / "bakery"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
    with mesh_of(root) as mesh:
        mesh.protomesh("proto", check=True)
    return root


@pytest.fixture
def bakery(made: Path, tmp_path: Path) -> Iterator[Mesh]:
    """The project, not started."""
    shutil.copytree(made, tmp_path / "bakery")
    with mesh_of(tmp_path / "bakery") as mesh:
        yield mesh
