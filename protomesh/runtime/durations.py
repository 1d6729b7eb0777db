"""Durations as contracts and settings write them: "500ms", "2s", "1m"."""

import re
from datetime import timedelta

__all__ = ["parse_duration"]

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_WRITTEN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """Reads a number with its unit: ms, s, m or h.

    Raises:
        ValueError: it is not one.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"{text!r} is not a duration; write it as 500ms, 2s or 1m")
    return float(written[1]) * _UNITS[written[2]]
