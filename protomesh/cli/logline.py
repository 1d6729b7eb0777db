"""How a line of a log reads on a terminal, and for programs."""

import json
from collections.abc import Mapping
from typing import Any

from protomesh.supervisor.logs import LogLine

__all__ = ["for_programs", "for_terminal"]

_COLOURS = (36, 32, 35, 34, 33, 96, 92, 95)  # of sources; ANSI, without red: that is for errors
_LEVELS = {"warning": 33, "error": 31, "critical": 31, "exception": 31}
_KNOWN = ("timestamp", "level", "event", "service", "exception", "logger")


def for_terminal(line: LogLine, *, width: int, colour: bool) -> str:
    """`catalog | 12:00:01 event key=value`, an exception on lines of its own. `width` is that of the longest source."""

    def paint(text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour else text

    prefix = paint(f"{line.source:{width}} |", _COLOURS[sum(line.source.encode()) % len(_COLOURS)])
    entry = _parse(line.text)
    if entry is None:
        return f"{prefix} {line.text}"
    time = str(entry.get("timestamp", ""))[11:19]
    level = str(entry.get("level", "")).lower()
    event = paint(str(entry.get("event", "")), _LEVELS[level]) if level in _LEVELS else str(entry.get("event", ""))
    pairs = (f"{key}={_value(value)}" for key, value in entry.items() if key not in _KNOWN)
    text = " ".join(part for part in (paint(time, 2) if time else "", event, *pairs) if part)
    trace = str(entry.get("exception", "")).rstrip()
    return "\n".join([f"{prefix} {text}", *(f"{prefix}   {row}" for row in trace.splitlines())])


def for_programs(line: LogLine) -> str:
    """One JSON object: the service's own, with `service`, or its text as `event`."""
    entry = _parse(line.text)
    return json.dumps(
        {"service": line.source, **entry} if entry is not None else {"service": line.source, "event": line.text}
    )


def _parse(text: str) -> Mapping[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text) if not text or any(c.isspace() or c == '"' for c in text) else text
