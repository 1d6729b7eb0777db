"""Durations as contracts and mesh.yaml write them: "500ms", "2s", "1m"."""

import re
from datetime import timedelta

__all__ = ["SHORTEST_LIMIT_PERIOD", "format_duration", "parse_duration"]

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_LONGEST = timedelta(days=365)
SHORTEST_LIMIT_PERIOD = timedelta(milliseconds=50)
"""Envoy refuses its configuration for a rate limit over less: its buckets are filled by a timer."""

_MANY = 10**9  # a number has nine digits at most
_WRITTEN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """Reads a positive number with its unit: ms, s, m or h. At least one millisecond, at most a year.

    Raises:
        ValueError: `text` is none of these; the message says why.
    """
    written = _WRITTEN.fullmatch(text)
    if not written:
        raise ValueError(f"{text!r} is not a duration")
    duration = float(written[1]) * _UNITS[written[2]]
    if duration < timedelta(milliseconds=1):
        raise ValueError(f"{text!r} is shorter than a millisecond")
    if duration > _LONGEST:
        raise ValueError(f"{text!r} is longer than a year")
    return duration


def format_duration(duration: timedelta) -> str:
    """Writes a duration as `parse_duration` reads it, in the largest unit without a fraction, if there is one."""
    for unit in ("h", "m", "s", "ms"):
        whole, rest = divmod(duration, _UNITS[unit])
        if not rest and whole < _MANY:
            return f"{whole}{unit}"
    if duration < _UNITS["s"]:
        return f"{duration / _UNITS['ms']:.3f}".rstrip("0") + "ms"
    return f"{duration / _UNITS['s']:.6f}".rstrip("0") + "s"
