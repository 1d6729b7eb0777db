"""What the work in progress hands on to the calls that it makes, without an argument for it in every signature."""

import asyncio
from contextvars import ContextVar

__all__ = ["FORWARDED", "Metadatum", "Scope", "current", "time_remaining"]

Metadatum = tuple[str, str | bytes]

# W3C trace context and baggage, Envoy's request id, and the user on whose behalf all of it happens.
FORWARDED = frozenset(
    {
        "traceparent",
        "tracestate",
        "baggage",
        "x-request-id",
        "x-protomesh-subject",
        "x-protomesh-scopes",
        "x-protomesh-claims",
        "x-protomesh-token",
    }
)
_TRACE_ID = slice(3, 35)  # 00-<trace id>-<span id>-01 (W3C Trace Context)


class Scope:
    """A call that is being answered, a job that runs, or a stretch of work with a deadline of its own.

    `method` is the full name of the RPC, empty outside one. `loop_deadline` is on the clock of the event loop; None
    if the work may take as long as it likes.
    """

    __slots__ = ("loop_deadline", "method")

    def __init__(self, method: str, loop_deadline: float | None) -> None:
        self.method = method
        self.loop_deadline = loop_deadline

    @property
    def forwarded(self) -> tuple[Metadatum, ...]:
        """Metadata that travels on with every call that the work makes."""
        return ()

    @property
    def request_id(self) -> str | None:
        """Names the request in every service's log."""
        return self._text("x-request-id")

    @property
    def trace_id(self) -> str | None:
        """Names the trace, in hexadecimal digits."""
        parent = self._text("traceparent")
        return parent[_TRACE_ID] if parent is not None else None

    def _text(self, key: str) -> str | None:
        return next((value for name, value in self.forwarded if name == key and isinstance(value, str)), None)


current: ContextVar[Scope | None] = ContextVar("protomesh_current", default=None)


def time_remaining() -> float | None:
    """Seconds that the work in progress has left, 0 if they are over; None if it has no deadline."""
    scope = current.get()
    if scope is None or scope.loop_deadline is None:
        return None
    return max(0.0, scope.loop_deadline - asyncio.get_running_loop().time())
