"""Work that can be told to stop, and that finishes first what it does detached."""

import asyncio
import enum
from types import CoroutineType
from typing import Any, Self

__all__ = ["Interruptible", "Interruption"]


class Interruption(enum.Enum):
    """Why work was told to stop before it was done."""

    CALLER_GONE = enum.auto()
    DEADLINE = enum.auto()
    DRAIN = enum.auto()
    LEASE_LOST = enum.auto()


class Interruptible:
    """Stands between a task and whoever cancels it, for as long as the task does one piece of work.

    gRPC cancels the task that it made for a call when the caller hangs up. That waits while the work is detached; a
    timeout or a task group of the handler cancels the same task and gets through: those have nothing to do with the
    caller. The task is gRPC's own, so its `cancel` is replaced; a task of ours below it would cost each call two
    turns of the event loop (docs/decisions/0040-handlers-run-in-grpcs-own-task.md).
    """

    __slots__ = ("_detached", "_pending", "interruption", "task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.interruption: Interruption | None = None
        self._detached = 0
        self._pending = False
        task.cancel = self._cancel  # type: ignore[method-assign] # of this one task

    @classmethod
    def here(cls) -> Self:
        """Stands before the task that runs now."""
        task = asyncio.current_task()
        assert task is not None, "only a task has something to interrupt"
        return cls(task)

    @classmethod
    def of(cls, task: asyncio.Task[Any] | None) -> "Interruptible | None":
        """What stands before a task, if anything does."""
        before = getattr(task.cancel, "__self__", None) if task is not None else None
        return before if isinstance(before, cls) else None

    def interrupt(self, why: Interruption, msg: Any | None = None) -> bool:
        """Stops the work for a reason from outside it. The first reason counts; later ones change nothing."""
        if self.interruption is not None or self.task.done():
            return False
        self.interruption = why
        if self._detached:
            self._pending = True
            return False
        return type(self.task).cancel(self.task, msg)

    def detach(self) -> None:
        """From here on interruptions wait."""
        self._detached += 1

    def attach(self) -> bool:
        """Ends what `detach` began; True if an interruption was waiting and has now been delivered."""
        self._detached -= 1
        if self._pending and not self._detached:
            self._pending = False
            return type(self.task).cancel(self.task)
        return False

    def end(self) -> None:
        """The work is done, and its task is as it was."""
        del self.task.cancel

    def _cancel(self, msg: Any | None = None) -> bool:
        canceller = asyncio.current_task(self.task.get_loop())  # None in a callback, as of a timeout or a task group
        if canceller is not None and not isinstance(canceller.get_coro(), CoroutineType):
            return self.interrupt(Interruption.CALLER_GONE, msg)  # a compiled coroutine: gRPC's
        return type(self.task).cancel(self.task, msg)
