import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store import masked
from shop.catalog.v1 import Product

CURRENT = Product(
    product_id="tea", title="Tea", category="hot", price=Money(currency_code="EUR", units=5, nanos=500), etag="e"
)
FIXED = ("product_id", "etag")


def test_only_what_the_mask_names_changes() -> None:
    """Neither argument is touched."""
    before = CURRENT.SerializeToString(deterministic=True)
    changed = masked(CURRENT, Product(title="Chai", category="cold"), FieldMask(paths=["title"]), fixed=FIXED)
    assert (changed.title, changed.category) == ("Chai", "hot")
    assert CURRENT.SerializeToString(deterministic=True) == before


def test_a_named_field_that_is_not_set_is_cleared() -> None:
    """A mask says which fields are meant, not which are there."""
    changed = masked(CURRENT, Product(), FieldMask(paths=["title", "price"]), fixed=FIXED)
    assert changed.title == ""
    assert not changed.HasField("price")


def test_no_mask_means_what_is_set() -> None:
    """AIP-134."""
    changed = masked(CURRENT, Product(product_id="other", title="Chai"), FieldMask(), fixed=FIXED)
    assert (changed.title, changed.category, changed.product_id) == ("Chai", "hot", "tea")


def test_a_star_replaces_everything_that_is_the_callers() -> None:
    """AIP-134; what belongs to the service stays."""
    changed = masked(CURRENT, Product(title="Chai"), FieldMask(paths=["*"]), fixed=FIXED)
    assert changed == Product(product_id="tea", title="Chai", etag="e")


def test_a_field_of_a_field() -> None:
    """AIP-161: the rest of the inner message stays."""
    changed = masked(CURRENT, Product(price=Money(units=7)), FieldMask(paths=["price.units"]), fixed=FIXED)
    assert changed.price == Money(currency_code="EUR", units=7, nanos=500)


@pytest.mark.parametrize("path", ["nothing", "price.nothing", "title.inner", "", "product_id", "etag"])
def test_a_path_that_does_not_exist_or_is_fixed_is_named(path: str) -> None:
    """INVALID_ARGUMENT for update_mask."""
    with pytest.raises(StatusError, match="update_mask") as invalid:
        masked(CURRENT, Product(), FieldMask(paths=[path]), fixed=FIXED)
    assert invalid.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert repr(path) in str(invalid.value)
