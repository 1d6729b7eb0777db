"""The shop of this repository, in a directory of its own, up for the tests of one module."""

import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import grpc
import pytest

from tests.e2e import reach
from tests.e2e.mesh import Mesh

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("generated", "mesh.yaml", "protos", "services", "envoy")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's parts as they are in the repository, with the databases and caches that a first start makes."""
    root = tmp_path_factory.mktemp("checkout") / "shop"
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            root.mkdir(exist_ok=True)
            shutil.copy(source, root / part)
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        mesh = Mesh(root, Path(run))
        try:
            mesh.protomesh("up", check=True)
        finally:
            mesh.end()
    shutil.rmtree(root / ".protomesh/logs")
    return root


@pytest.fixture(scope="module")
def shop(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The shop, up, with a database that has what its migrations put there."""
    root = tmp_path_factory.mktemp("up") / "shop"
    shutil.copytree(checkout, root)
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as run:
        mesh = Mesh(root, Path(run))
        try:
            mesh.protomesh("up", check=True)
            yield mesh
        finally:
            mesh.end()


@pytest.fixture
async def edge(shop: Mesh) -> AsyncGenerator[grpc.aio.Channel]:
    """As callers from outside come in."""
    async with reach.edge(shop) as channel:
        yield channel


@pytest.fixture
async def operator(shop: Mesh) -> AsyncGenerator[grpc.aio.Channel]:
    """As the operator comes in: every method, INTERNAL ones included."""
    async with reach.operator(shop) as channel:
        yield channel
