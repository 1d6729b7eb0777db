"""How much an order says about its products, now and later.

An order counts 1 when it is confirmed and half as much each half-life later, so what it counts at a time t is
2 ** ((confirmed - t) / half-life). All that is summed up fades alike: with t left out, sums are in the same order at
every time, and adding to one needs no look at the clock. What is kept is the binary logarithm of such a sum, its
rank, which no number of years makes too large (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, 2009).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

__all__ = ["Basis", "Decay", "Ranked", "joined"]

# Larger than any count of orders. Only a clock that was set back far makes a score come near it.
_LARGEST_EXPONENT = 1000.0

# What is worth less than a thousandth of an order says nothing any more: ten half-lives after the last one.
_SAYS_NOTHING = 10.0


class Basis(Enum):
    """Why a product is recommended."""

    BOUGHT_TOGETHER = "bought_together"
    BEST_SELLER = "best_seller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A product and how much speaks for it."""

    product_id: str
    basis: Basis
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """What the ranks of one database mean."""

    half_life: timedelta
    anchor_time: datetime
    anchor_rank: float = 0.0  # of an order at the anchor's time

    def rank(self, moment: datetime) -> float:
        """The rank of one order that is confirmed at a moment."""
        return self.anchor_rank + (moment - self.anchor_time) / self.half_life

    def score(self, rank: float, now: datetime) -> float:
        """How many orders of this moment a rank stands for."""
        return float(2.0 ** min(rank - self.rank(now), _LARGEST_EXPONENT))

    def least(self, now: datetime) -> float:
        """The rank below which nothing is worth to be kept."""
        return self.rank(now) - _SAYS_NOTHING

    def with_half_life(self, half_life: timedelta, now: datetime) -> "Decay":
        """The same scores now, and another half-life from now on. No rank changes."""
        return replace(self, half_life=half_life, anchor_time=now, anchor_rank=self.rank(now))


def joined(one: float, other: float) -> float:
    """The rank of two sums together: log2(2**one + 2**other)."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(2.0 ** (low - high)) / math.log(2)
