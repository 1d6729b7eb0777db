"""The end of a worker, as its handlers see it."""

import asyncio
from datetime import timedelta
from typing import Any

from protomesh.runtime.interruptible import Interruptible, Interruption

__all__ = ["GRACE", "Drain"]

GRACE = timedelta(seconds=10)  # for calls in progress; an endless stream is ended at once
_BEFORE_THE_END = timedelta(seconds=1)  # when a stream that might have ended by itself is ended after all


class Drain:
    """Knows the calls in progress, and ends the streams among them when the worker is told to end.

    A caller can go on with a resumable stream anywhere else, so it ends at once. Another one may be about to finish,
    and is given nearly all of the grace.
    """

    def __init__(self) -> None:
        self.begun = False
        # In progress, those whose callers have hung up included. None of a call that isn't ended for the drain's sake;
        # else whether its caller can go on somewhere else.
        self._calls: dict[Interruptible, bool | None] = {}

    def enter(self, call: Interruptible, *, resumable: bool | None) -> None:
        """A call begins, and has to `leave`. `resumable` is None for one that ends by itself: it is no stream."""
        self._calls[call] = resumable

    def leave(self, call: Interruptible) -> None:
        """The call has ended."""
        del self._calls[call]

    def unfinished(self) -> set[asyncio.Task[Any]]:
        """The tasks of the calls in progress."""
        return {call.task for call in self._calls}

    def begin(self, grace: timedelta) -> None:
        """Ends the resumable streams now and the others shortly before `grace` is over."""
        self.begun = True
        self._end(resumable=True)
        later = max(timedelta(0), grace - _BEFORE_THE_END)
        asyncio.get_running_loop().call_later(later.total_seconds(), self._end)

    def _end(self, *, resumable: bool = False) -> None:
        for call, can_resume in list(self._calls.items()):
            if can_resume or (can_resume is False and not resumable):
                call.interrupt(Interruption.DRAIN)
