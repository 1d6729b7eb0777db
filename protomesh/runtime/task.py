"""The task that a handler or a job runs in: it can be told to stop, and what it does detached is let finish first."""

import asyncio
import enum
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["HandlerTask", "Interruption", "handler_tasks"]

ResultT = TypeVar("ResultT")


class Interruption(enum.Enum):
    """Why a handler was told to stop before it had an answer."""

    CALLER_GONE = enum.auto()
    DEADLINE = enum.auto()
    DRAIN = enum.auto()


class HandlerTask(asyncio.Task[ResultT]):
    """Runs one handler below the task that gRPC made for the call.

    gRPC cancels its own task when the caller hangs up, and that reaches this one through `await`. A task of our own
    can put it off: inside `detached` an interruption only waits for the block's end. A timeout or a task group of the
    handler cancels this task too, and must get through: those have nothing to do with the caller.
    """

    def __init__(
        self, work: Coroutine[Any, Any, ResultT], *, loop: asyncio.AbstractEventLoop, owner: object = None
    ) -> None:
        super().__init__(work, loop=loop)
        self.owner = owner
        self.interruption: Interruption | None = None
        self._above = asyncio.current_task(loop)
        self._detached = 0
        self._pending = False

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancels the handler, or puts it off if it was the caller who hung up and the handler is detached."""
        if self.interruption is None and self._above is not None and self._above.cancelling():
            return self.interrupt(Interruption.CALLER_GONE, msg)
        return super().cancel(msg)

    def interrupt(self, why: Interruption, msg: Any | None = None) -> bool:
        """Stops the handler for a reason from outside it. The first reason counts; later ones change nothing."""
        if self.interruption is not None or self.done():
            return False
        self.interruption = why
        if self._detached:
            self._pending = True
            return False
        return super().cancel(msg)

    def detach(self) -> None:
        """From here on interruptions wait."""
        self._detached += 1

    def attach(self) -> bool:
        """Ends what `detach` began; True if an interruption was waiting and has now been delivered."""
        self._detached -= 1
        if self._pending and not self._detached:
            self._pending = False
            return super().cancel()
        return False


def handler_tasks(owner: object) -> set[asyncio.Task[Any]]:
    """An owner's handlers that have not finished, those of callers who hung up included."""
    return {task for task in asyncio.all_tasks() if isinstance(task, HandlerTask) and task.owner is owner}
