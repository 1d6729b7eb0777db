"""Three services in a row, up for the tests of one module."""

import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from tests.e2e import reach
from tests.e2e.chain.caller import Caller, Contracts
from tests.e2e.chain.leaf_record import LeafRecord
from tests.e2e.mesh import Mesh, mesh_of

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its stubs."""
    root = tmp_path_factory.mktemp("built") / "chain"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
    with mesh_of(root) as mesh:
        mesh.protomesh("proto", check=True)
    return root


@pytest.fixture(scope="module")
def chain(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The project, up."""
    root = tmp_path_factory.mktemp("chain") / "chain"
    shutil.copytree(built, root)
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
        yield mesh


@pytest.fixture(scope="module")
def contracts(chain: Mesh) -> Contracts:
    """The project's messages."""
    return Contracts(chain.root)


@pytest.fixture
async def edge(chain: Mesh, contracts: Contracts) -> AsyncGenerator[Caller]:
    """As callers from outside come in."""
    async with reach.edge(chain) as channel:
        yield Caller(channel, contracts)


@pytest.fixture
async def middle(chain: Mesh, contracts: Contracts) -> AsyncGenerator[Caller]:
    """As the service in the middle calls."""
    async with reach.egress(chain, "middle") as channel:
        yield Caller(channel, contracts)


@pytest.fixture
def leaf(chain: Mesh) -> LeafRecord:
    """What has happened at the leaf."""
    return LeafRecord(Path(reach.layout(chain).data("leaf")))
