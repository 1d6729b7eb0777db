"""The time, in tests."""

from datetime import UTC, datetime, timedelta

__all__ = ["MORNING", "Clock"]

MORNING = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = MORNING

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        """Moves on."""
        self.time += by
