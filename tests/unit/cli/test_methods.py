import pytest

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.methods import resolve

METHODS = [
    "shop.catalog.v1.CatalogService/GetProduct",
    "shop.catalog.v1.CatalogService/ListProducts",
    "shop.orders.v1.OrdersService/GetOrder",
    "shop.orders.v2.OrdersService/GetOrder",
]


@pytest.mark.parametrize(
    "text",
    [
        "shop.catalog.v1.CatalogService/GetProduct",
        "/shop.catalog.v1.CatalogService/GetProduct",
        "shop.catalog.v1.CatalogService.GetProduct",
        "CatalogService/GetProduct",
        "GetProduct",
    ],
)
def test_a_method_is_found_by_any_end_of_its_name(text: str) -> None:
    """Nobody types a package twice."""
    assert resolve(text, METHODS) == "shop.catalog.v1.CatalogService/GetProduct"


def test_an_ambiguous_name_lists_who_may_be_meant() -> None:
    """It is an error of the input and never a guess."""
    with pytest.raises(Failure) as caught:
        resolve("GetOrder", METHODS)

    assert caught.value.code == ExitCode.INVALID
    assert caught.value.text.splitlines()[1:] == [f"  {name}" for name in METHODS[2:]]


def test_a_misspelled_name_is_corrected() -> None:
    """The nearest names come first."""
    with pytest.raises(Failure) as caught:
        resolve("CatalogService/GetProdukt", METHODS)

    assert caught.value.text.splitlines()[1] == "  shop.catalog.v1.CatalogService/GetProduct"


def test_half_a_word_is_not_a_name() -> None:
    """`Product` names no method because `GetProduct` ends with it."""
    with pytest.raises(Failure):
        resolve("Product", METHODS)
