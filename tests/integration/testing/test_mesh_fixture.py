"""The pytest fixture `mesh`, on the shop."""

from pathlib import Path

import pytest
from grpc import StatusCode, aio

from protomesh.testing.mesh import MeshFailed, RunningMesh, started
from shop.catalog.v1 import CatalogServiceStub, ListProductsRequest, UpdateProductRequest


async def test_a_test_calls_the_whole_mesh_through_its_gateway(mesh: RunningMesh, pytestconfig: pytest.Config) -> None:
    """The project runs as it would for a user, but in a copy, with data of its own."""
    async with mesh.channel() as channel:
        answer = await CatalogServiceStub(channel).ListProducts(ListProductsRequest(page_size=1))

    assert len(answer.products) == 1
    assert not mesh.root.is_relative_to(pytestconfig.rootpath)
    assert (mesh.root / ".protomesh/data/catalog").is_dir()


async def test_the_operators_channel_reaches_internal_methods(mesh: RunningMesh) -> None:
    """The edge does not know the method; the operator gets the service's own answer."""
    codes = []
    for channel in (mesh.channel(), mesh.operator()):
        async with channel:
            with pytest.raises(aio.AioRpcError) as refused:
                await CatalogServiceStub(channel).UpdateProduct(UpdateProductRequest())
        codes.append(refused.value.code())

    assert codes == [StatusCode.UNIMPLEMENTED, StatusCode.INVALID_ARGUMENT]


def test_a_mesh_that_does_not_start_says_why(tmp_path: Path) -> None:
    """What the command printed is the error."""
    project = tmp_path / "broken"
    project.mkdir()
    (project / "mesh.yaml").write_text("name: broken\nservice: {}\n")

    with pytest.raises(MeshFailed, match=r"mesh\.yaml:2:1"), started(project, tmp_path / "copies"):
        pass
