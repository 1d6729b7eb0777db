"""What keeps a worker from starting."""

__all__ = ["CannotStart"]


class CannotStart(Exception):  # noqa: N818 - it says what happened
    """Something around a worker's code is wrong. The text says what, and what to do: no traceback adds anything."""
