from google.type.money_pb2 import Money

from protomesh.runtime.store import etag
from shop.catalog.v1 import Product


def product(units: int = 5) -> Product:
    """A product at a price."""
    return Product(product_id="tea", title="Tea", price=Money(currency_code="EUR", units=units))


def test_equal_resources_have_equal_etags() -> None:
    """In every worker, since it is made of the content."""
    assert etag(product()) == etag(product())


def test_any_change_shows() -> None:
    """Deep inside as well."""
    assert etag(product(5)) != etag(product(6))


def test_the_etag_field_does_not_count() -> None:
    """It can be computed of a resource that has one."""
    marked = product()
    marked.etag = etag(marked)
    assert etag(marked) == marked.etag
