import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, SourceCodeInfo
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.contract.exposure import exposed_files
from protomesh.model import Topology


@pytest.fixture
def exposed(shop: Topology) -> dict[str, FileDescriptorProto]:
    """The files of the shop as the edge shows them, by name."""
    return {file.name: file for file in exposed_files(shop).file}


@pytest.fixture
def stock(exposed: dict[str, FileDescriptorProto]) -> FileDescriptorProto:
    """The file with the services."""
    return exposed["shop/stock/v1/stock.proto"]


def test_internal_methods_and_services_are_gone(stock: FileDescriptorProto) -> None:
    """A service that has no other methods is gone with them."""
    assert [(s.name, [m.name for m in s.method]) for s in stock.service] == [("StockService", ["GetStock"])]


def test_messages_that_only_internal_methods_use_are_gone(exposed: dict[str, FileDescriptorProto]) -> None:
    """And the file in which nothing else was declared, with its import."""
    stock = exposed["shop/stock/v1/stock.proto"]

    assert [message.name for message in stock.message_type] == ["GetStockRequest", "GetStockResponse"]
    assert "shop/stock/v1/internal.proto" not in exposed
    assert list(stock.dependency) == [
        "protomesh/v1/options.proto",
        "shop/stock/v1/errors.proto",
        "shop/stock/v1/types.proto",
    ]


def test_nothing_of_what_is_hidden_can_be_read(exposed: dict[str, FileDescriptorProto]) -> None:
    """Neither names nor comments."""
    text = b"".join(file.SerializeToString() for file in exposed.values() if file.name.startswith("shop/"))

    for hidden in (b"Move", b"secret", b"repricing", b"Ledger", b"Hidden", b"location", b"Lock", b"Colour", b"Never"):
        assert hidden not in text


def test_a_message_around_a_visible_one_stays_without_its_fields(exposed: dict[str, FileDescriptorProto]) -> None:
    """The visible one keeps its full name."""
    (shelf,) = exposed["shop/stock/v1/types.proto"].message_type

    assert (shelf.name, list(shelf.field), [nested.name for nested in shelf.nested_type]) == ("Shelf", [], ["Level"])


def test_declared_errors_stay_visible(exposed: dict[str, FileDescriptorProto]) -> None:
    """Callers catch them although no method returns them as a message."""
    assert [m.name for m in exposed["shop/stock/v1/errors.proto"].message_type] == ["OutOfStock"]


def test_comments_stay_with_what_they_are_about(exposed: dict[str, FileDescriptorProto]) -> None:
    """Although everything has another number now."""

    def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
        locations: list[SourceCodeInfo.Location] = list(file.source_code_info.location)
        return {tuple(x.path): x.leading_comments.strip() for x in locations if x.leading_comments}

    assert comments(exposed["shop/stock/v1/stock.proto"]) == {
        (6, 0): "Tells what is in stock.",
        (6, 0, 2, 0): "Gets the stock of a product.",
        (4, 0): "Which product.",
        (4, 0, 2, 0): "Its number.",
    }
    assert comments(exposed["shop/stock/v1/types.proto"]) == {
        (4, 0, 3, 0): "How full.",
        (4, 0): "A shelf; only its level is public.",
        (5, 0, 2, 0): "Not said.",
    }


def test_what_is_left_is_complete(exposed: dict[str, FileDescriptorProto]) -> None:
    """A client can build it, in the order of the files."""
    pool = DescriptorPool()
    for file in exposed.values():
        pool.AddSerializedFile(file.SerializeToString())

    service = pool.FindServiceByName("shop.stock.v1.StockService")
    assert [method.name for method in service.methods] == ["GetStock"]


def test_libraries_are_there_only_where_something_imports_them(exposed: dict[str, FileDescriptorProto]) -> None:
    """Whole, so that options can be read."""
    assert sorted(name for name in exposed if not name.startswith("shop/")) == [
        "google/protobuf/descriptor.proto",
        "google/rpc/code.proto",
        "protomesh/v1/options.proto",
    ]


def test_what_it_was_made_from_stays_as_it_was(shop: Topology) -> None:
    """The operator sees it whole."""
    before = shop.descriptors
    exposed_files(shop)

    assert shop.descriptors == before
