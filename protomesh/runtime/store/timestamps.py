"""Moments in a database."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator

__all__ = ["UtcDateTime"]


class UtcDateTime(TypeDecorator[datetime]):
    """A column of moments: timezone-aware in Python, UTC in the database, on every kind of database.

    SQLite has no type for it, and SQLAlchemy's DateTime would give back what it was given without its time zone.
    A naive datetime is refused: nobody can tell which moment it means.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turns a moment into UTC.

        Raises:
            ValueError: `value` has no time zone.
        """
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; use datetime.now(UTC)")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives a moment its time zone back."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)
