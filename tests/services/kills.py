"""How often tests kill a process at one and the same point."""

import os
from collections.abc import Iterator

__all__ = ["rounds"]

_KINDS = 2  # of databases: each has its half
_ROUND = 10


def rounds() -> Iterator[int]:
    """How often to kill until everything has to add up, round by round: half of KILLS in all. That is 10 by default."""
    left = -(-int(os.environ.get("KILLS", "10")) // _KINDS)
    while left > 0:
        yield min(left, _ROUND)
        left -= _ROUND
