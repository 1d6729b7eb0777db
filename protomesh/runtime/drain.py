"""The end of a worker, as its handlers see it."""

import asyncio
from datetime import timedelta
from typing import Any

from protomesh.runtime.task import HandlerTask, Interruption

__all__ = ["GRACE", "Drain"]

GRACE = timedelta(seconds=10)  # for calls in progress; an endless stream is ended at once
_BEFORE_THE_END = timedelta(seconds=1)  # when a stream that might have ended by itself is ended after all


class Drain:
    """Knows the streams that are open, and ends them when the worker is told to.

    A caller can go on with a resumable stream anywhere else, so it ends at once. Another one may be about to finish,
    and is given nearly all of the grace.
    """

    def __init__(self) -> None:
        self.begun = False
        self._streams: dict[HandlerTask[Any], bool] = {}

    def watch(self, stream: HandlerTask[Any], *, resumable: bool) -> None:
        """Ends the stream when its time has come, unless it has ended by then."""
        self._streams[stream] = resumable
        stream.add_done_callback(self._streams.pop)
        if self.begun and resumable:
            stream.interrupt(Interruption.DRAIN)

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
