"""The shop of this repository, in a directory of its own, up for the tests of one module."""

import shutil
import uuid
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from tests.e2e import reach
from tests.e2e.mesh import Mesh, copy_shop, mesh_of
from tests.e2e.shop.calls import Metadata


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's parts as they are in the repository, with the databases and caches that a first start makes."""
    root = tmp_path_factory.mktemp("checkout") / "shop"
    copy_shop(root)
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
    shutil.rmtree(root / ".protomesh/logs")
    return root


@pytest.fixture(scope="module")
def shop(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The shop, up, with a database that has what its migrations put there."""
    root = tmp_path_factory.mktemp("up") / "shop"
    shutil.copytree(checkout, root)
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
        yield mesh


@pytest.fixture(scope="module")
def customer(shop: Mesh) -> Metadata:
    """What goes with the calls of somebody who has registered and logged in."""
    credentials = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    with httpx.Client(base_url=f"http://{shop.gateway}", timeout=20) as client:
        client.post("/v1/users:register", json=credentials).raise_for_status()
        login = client.post("/v1/users:login", json=credentials).raise_for_status()
    return (("authorization", f"Bearer {login.json()['tokens']['accessToken']}"),)


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
