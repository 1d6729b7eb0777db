from protomesh.clients.table import Row, rows
from protomesh.model import Topology


def test_a_row_has_what_the_contract_says(shop: Topology) -> None:
    """Milliseconds, because every language can count them."""
    assert list(rows(shop, internal=False)) == [
        Row(full_name="shop.stock.v1.StockService/GetStock", deadline=1000, repeatable=True, audience="PUBLIC")
    ]


def test_internal_methods_are_there_if_asked_for(shop: Topology) -> None:
    """Sorted by name."""
    assert [row.full_name for row in rows(shop, internal=True)] == [
        "shop.stock.v1.LedgerService/Book",
        "shop.stock.v1.StockService/GetStock",
        "shop.stock.v1.StockService/Move",
    ]
