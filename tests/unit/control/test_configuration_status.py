import pytest

from protomesh.control.status import origin_of
from protomesh.model import Origin

GET = Origin(file="protos/stock.proto", line=3)
GET_ALL = Origin(file="protos/stock.proto", line=9)
TEMPLATE = Origin(file="protos/stock.proto", line=4)
ORIGINS = {
    "shop.StockService/Get": GET,
    "shop.StockService/GetAll": GET_ALL,
    "/v1/stock/{sku}": TEMPLATE,
}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("route /shop.StockService/Get is bad", GET),
        ("method shop.StockService/Get is bad", GET),
        ("method shop.StockService/GetAll is bad", GET_ALL),
        ("shop.StockService/Get: template '/v1/stock/{sku}' of it", GET),
        ("invalid template '/v1/stock/{sku}'.", TEMPLATE),
        ("method other.shop.StockService/Get is bad", None),
        ("something else", None),
    ],
)
def test_a_complaint_leads_to_the_line_that_it_is_about(text: str, origin: Origin | None) -> None:
    """The longest text that is there as a whole word."""
    assert origin_of(text, "edge", ORIGINS) == origin


def test_a_complaint_without_a_clue_leads_to_the_resource() -> None:
    """By its name, or because everything in it came from one place."""
    assert origin_of("bad", "stock", {"stock": GET, "other": TEMPLATE}) == GET
    assert origin_of("bad", "edge", {"a": GET, "b": GET}) == GET
    assert origin_of("bad", "edge", {}) is None
