"""Events that take too long, and whether that is their own fault."""

from google.rpc import code_pb2

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result

__all__ = ["Lateness"]

_REMEMBERED = 1000


class Lateness:
    """Tells an event that takes too long from an outage.

    A consumer that takes too long may be waiting for somebody who is away, and that is no event's fault: the answer is
    DEADLINE_EXCEEDED, which does not count. But if others of its kind were handled since it was last too late, all that
    the consumer needs is there, and it counts. One worker remembers for itself.
    """

    def __init__(self) -> None:
        self._handled: dict[str, int] = {}  # by the full name of the event
        self._seen: dict[str, int] = {}  # by the id of one that was too late: how many of its kind had been handled

    def handled(self, event: Event) -> None:
        """One was handled in time."""
        kind = event.content.type_url
        self._handled[kind] = self._handled.get(kind, 0) + 1
        self._seen.pop(event.event_id, None)

    def judged(self, event: Event, result: Result) -> Result:
        """What to answer for one that was too late, by itself. `result` says so, and does not count."""
        before = self._seen.pop(event.event_id, None)
        now = self._handled.get(event.content.type_url, 0)
        self._seen[event.event_id] = now
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if before is None or before == now:
            return result
        return Result(
            outcome=result.outcome, code=code_pb2.ABORTED, message=f"{result.message}; others of its kind do not"
        )
