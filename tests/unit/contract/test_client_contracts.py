import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.contract.client_contracts import client_contracts, without_mesh_options
from protomesh.model import Topology

STOCK = "shop/stock/v1/stock.proto"


@pytest.fixture
def contracts(shop: Topology) -> dict[str, FileDescriptorProto]:
    """The files of the shop as generators get them, by name."""
    return {file.name: file for file in client_contracts(shop).file}


def test_the_mesh_s_options_are_gone_with_their_files(contracts: dict[str, FileDescriptorProto]) -> None:
    """Neither an option nor an import of them is left; protoc's own options are."""
    (method,) = contracts[STOCK].service[0].method

    assert not contracts[STOCK].service[0].HasField("options")
    assert method.options == MethodOptions(idempotency_level=MethodOptions.NO_SIDE_EFFECTS)
    assert not [name for name in contracts if name.startswith(("protomesh/", "buf/", "google/api/"))]
    assert not [name for file in contracts.values() for name in file.dependency if name.startswith("protomesh/")]


def test_internal_methods_are_gone_unless_asked_for(shop: Topology, contracts: dict[str, FileDescriptorProto]) -> None:
    """Then their files are there again, and still without options."""
    internal = {file.name: file for file in client_contracts(shop, internal=True).file}

    assert [service.name for service in contracts[STOCK].service] == ["StockService"]
    assert [service.name for service in internal[STOCK].service] == ["StockService", "LedgerService"]
    assert "shop/stock/v1/internal.proto" not in contracts
    assert "shop/stock/v1/internal.proto" in internal
    assert not [name for name in internal if name.startswith("protomesh/")]


def test_declared_errors_stay(contracts: dict[str, FileDescriptorProto]) -> None:
    """As messages: callers find them in a status, with what a status holds besides."""
    assert [message.name for message in contracts["shop/stock/v1/errors.proto"].message_type] == ["OutOfStock"]
    assert {"google/rpc/status.proto", "google/rpc/error_details.proto"} <= contracts.keys()


def test_comments_stay(contracts: dict[str, FileDescriptorProto]) -> None:
    """At what they are about."""
    comments = {tuple(at.path): at.leading_comments for at in contracts[STOCK].source_code_info.location}

    assert comments[6, 0] == " Tells what is in stock.\n"
    assert comments[6, 0, 2, 0] == " Gets the stock of a product.\n"


def test_nothing_points_at_what_is_gone(contracts: dict[str, FileDescriptorProto]) -> None:
    """Every file can be loaded, after those that it imports."""
    pool = DescriptorPool()
    for file in contracts.values():
        pool.AddSerializedFile(file.SerializeToString())

    assert pool.FindMessageTypeByName("shop.stock.v1.GetStockResponse").fields_by_name["levels"]


@pytest.mark.parametrize("used", [("google/api/httpbody.proto",), ()])
def test_a_file_whose_types_are_used_stays(used: tuple[str, ...]) -> None:
    """google.api.HttpBody as a response, say; a file of which only options are used goes."""
    body = FileDescriptorProto(name="google/api/httpbody.proto", package="google.api")
    body.message_type.add(name="HttpBody")
    files = FileDescriptorSet(file=[body])
    own = files.file.add(name="a.proto", package="a", dependency=["google/api/httpbody.proto"])
    if used:
        field = own.message_type.add(name="A").field.add(name="body", number=1, label=1, type=11)
        field.type_name = ".google.api.HttpBody"

    stripped = without_mesh_options(files)

    assert [file.name for file in stripped.file] == [*used, "a.proto"]
    assert list(stripped.file[-1].dependency) == [*used]
