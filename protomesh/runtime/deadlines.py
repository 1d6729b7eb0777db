"""The ends that a contract gives its calls."""

import asyncio

from protomesh.runtime.interruptible import Interruptible, Interruption

__all__ = ["Deadlines"]


class Deadlines:
    """Interrupts the calls of one method whose time is over.

    All have the same time, so the first to begin is the first to end, and one timer is enough for any number of calls:
    most have ended long before, and a timer each would cost more than the rest of what a call is wrapped in.
    """

    def __init__(self) -> None:
        self._ends: dict[Interruptible, float] = {}  # on the clock of the event loop, in order
        self._armed = False

    def add(self, call: Interruptible, end: float) -> None:
        """The call is interrupted at `end` unless it is discarded by then."""
        self._ends[call] = end
        if not self._armed:
            self._arm(end)

    def discard(self, call: Interruptible) -> None:
        """The call has ended, in time or not."""
        self._ends.pop(call, None)

    def _arm(self, end: float) -> None:
        self._armed = True
        asyncio.get_running_loop().call_at(end, self._interrupt)

    def _interrupt(self) -> None:
        self._armed = False
        now = asyncio.get_running_loop().time()
        while self._ends:
            call, end = next(iter(self._ends.items()))
            if end > now:
                self._arm(end)
                return
            del self._ends[call]
            call.interrupt(Interruption.DEADLINE)
