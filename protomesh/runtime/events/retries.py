"""When what failed is tried again."""

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Retries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and with which pauses, what failed is tried again. Each pause is twice the one before."""

    failures: int = 8  # then an event is a dead letter
    first: timedelta = timedelta(milliseconds=500)
    longest: timedelta = timedelta(minutes=1)

    def pause(self, tries: int) -> timedelta:
        """How long to wait after so many tries, at least one."""
        doublings = min(tries - 1, 30)
        return min(self.longest, self.first * (1 << doublings))
