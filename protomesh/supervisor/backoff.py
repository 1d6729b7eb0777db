"""How long to wait before a crashed worker is started again."""

from datetime import timedelta

__all__ = ["Backoff"]


class Backoff:
    """Waits that double from `first` up to `longest`, and start over once something has lived for `healthy`.

    A worker that dies on every start is tried ever more seldom; one that dies once a day is back at once.
    """

    def __init__(
        self,
        *,
        first: timedelta = timedelta(seconds=0.2),
        longest: timedelta = timedelta(seconds=10),
        healthy: timedelta = timedelta(seconds=30),
    ) -> None:
        self._first = first
        self._longest = longest
        self._healthy = healthy
        self._next = first

    def after(self, life: timedelta) -> timedelta:
        """How long to wait now that something has ended which lived for `life`."""
        if life >= self._healthy:
            self._next = self._first
        wait = self._next
        self._next = min(wait * 2, self._longest)
        return wait
