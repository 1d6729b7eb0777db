"""What a product is, and when it may be one."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["InvalidProduct", "Money", "Product", "words"]


class InvalidProduct(Exception):  # noqa: N818 - it says what is wrong with the product, not with us
    """A product that the shop could not show. `field` is the field at fault, `reason` what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount: whole units, and billionths of one."""

    currency_code: str
    units: int
    nanos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something the shop sells, or used to sell.

    Raises:
        InvalidProduct: It has no title.
    """

    product_id: str
    title: str
    description: str
    category: str
    price: Money
    sellable: bool
    update_time: datetime

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise InvalidProduct("title", "must not be empty")

    @property
    def searchable(self) -> str:
        """The text that a search looks in."""
        return f"{self.title} {self.description} {self.category}".casefold()


def words(query: str) -> tuple[str, ...]:
    """The words of a search; a product is found if its searchable text has each of them somewhere."""
    return tuple(dict.fromkeys(query.casefold().split()))
