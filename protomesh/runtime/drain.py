"""The end of a worker, as its handlers see it."""

import asyncio
from datetime import timedelta

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
        self.calls: set[Interruptible] = set()  # in progress, those whose callers have hung up included
        self._streams: dict[Interruptible, bool] = {}

    def enter(self, stream: Interruptible, *, resumable: bool) -> None:
        """A stream begins: it is interrupted when its time has come, unless it has left by then."""
        self._streams[stream] = resumable

    def leave(self, stream: Interruptible) -> None:
        """The stream has ended."""
        del self._streams[stream]

    def begin(self, grace: timedelta) -> None:
        """Ends the resumable streams now and the others shortly before `grace` is over."""
        self.begun = True
        self._end(resumable=True)
        later = max(timedelta(0), grace - _BEFORE_THE_END)
        asyncio.get_running_loop().call_later(later.total_seconds(), self._end)

    def _end(self, *, resumable: bool = False) -> None:
        for stream, can_resume in list(self._streams.items()):
            if can_resume or not resumable:
                stream.interrupt(Interruption.DRAIN)
