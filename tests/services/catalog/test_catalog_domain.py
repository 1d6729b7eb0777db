from datetime import UTC, datetime

import pytest

from services.catalog.domain import InvalidProduct, Money, Product, words


def product(title: str) -> Product:
    """A product with a title."""
    return Product(
        product_id="tea",
        title=title,
        description="Good.",
        category="Hot",
        price=Money(currency_code="EUR", units=1, nanos=0),
        sellable=True,
        update_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("title", ["", " ", "\t\n"])
def test_a_product_has_a_title(title: str) -> None:
    """One that can be read."""
    with pytest.raises(InvalidProduct) as invalid:
        product(title)
    assert invalid.value.field == "title"


def test_a_search_looks_in_title_description_and_category() -> None:
    """Whatever the case, also where upper case is two letters."""
    assert product("Straße").searchable == "strasse good. hot"


def test_the_words_of_a_search_are_each_looked_for_once() -> None:
    """In the order of the query."""
    assert words("  Tea GREEN tea ") == ("tea", "green")
