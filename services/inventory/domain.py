"""What may happen to stock. Pieces on hand are never fewer than pieces reserved."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

__all__ = ["MOST", "Reservation", "Stock"]

# Pieces on hand that a scanner may bring it to. A column and the contract count to 2**31 - 1: the rest is for pieces
# that have left and come back.
MOST = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How many of one product there are. Changes make a new one, one version on."""

    product_id: str
    on_hand: int
    reserved: int
    version: int  # of this product's stock; only ever grows
    update_time: datetime

    @property
    def available(self) -> int:
        """Pieces that can still be ordered."""
        return self.on_hand - self.reserved

    def adjusted(self, delta: int, now: datetime) -> "Stock | None":
        """The stock after pieces came in or went out; None if fewer would be on hand than orders hold, or too many."""
        on_hand = self.on_hand + delta
        if on_hand < self.reserved or (delta > 0 and on_hand > MOST):
            return None
        return replace(self, on_hand=on_hand, version=self.version + 1, update_time=now)

    def holding(self, quantity: int, now: datetime) -> "Stock | None":
        """The stock with `quantity` more of it held; None if that many are not available."""
        if self.available < quantity:
            return None
        return replace(self, reserved=self.reserved + quantity, version=self.version + 1, update_time=now)

    def letting_go(self, quantity: int, now: datetime) -> "Stock":
        """The stock with `quantity` of what was held available again."""
        return replace(self, reserved=self.reserved - quantity, version=self.version + 1, update_time=now)

    def parting_with(self, quantity: int, now: datetime) -> "Stock":
        """The stock after `quantity` of what was held has left."""
        return replace(
            self,
            on_hand=self.on_hand - quantity,
            reserved=self.reserved - quantity,
            version=self.version + 1,
            update_time=now,
        )

    def taking_back(self, quantity: int, now: datetime) -> "Stock":
        """The stock with `quantity` that had left available again."""
        return replace(self, on_hand=self.on_hand + quantity, version=self.version + 1, update_time=now)

    @classmethod
    def none_yet(cls, product_id: str, now: datetime) -> "Stock":
        """The stock of a product that comes in for the first time."""
        return cls(product_id=product_id, on_hand=0, reserved=0, version=0, update_time=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Pieces that are held for one order or, once it is confirmed, have left for it. Changes make a new one."""

    reservation_id: str
    product_id: str
    quantity: int
    create_time: datetime
    expire_time: datetime | None  # from then on it may be given up; None if it stays until somebody does
    confirmed: bool = False

    @classmethod
    def of(cls, reservation_id: str, product_id: str, quantity: int, now: datetime, lifetime: timedelta) -> Self:
        """A new one that nobody has confirmed."""
        return cls(
            reservation_id=reservation_id,
            product_id=product_id,
            quantity=quantity,
            create_time=now,
            expire_time=now + lifetime,
        )

    def final(self) -> "Reservation":
        """The reservation after its pieces have left."""
        return replace(self, confirmed=True, expire_time=None)

    def given_up(self, stock: Stock, now: datetime) -> Stock:
        """The stock of its product once it is gone."""
        give_back = stock.taking_back if self.confirmed else stock.letting_go
        return give_back(self.quantity, now)
