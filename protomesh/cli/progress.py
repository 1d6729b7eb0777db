"""What is shown while something takes a moment."""

from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from protomesh.admin.v1 import admin_service_pb2 as admin

if TYPE_CHECKING:
    from rich.status import Status as Spinner

__all__ = ["Progress"]


class Progress:
    """One line that changes on a terminal and goes away at the end; where output is piped, one line that stays."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._spinner: Spinner | None = None
        self._said = ""

    def __enter__(self) -> Self:
        if self._stream.isatty():
            from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

            self._spinner = Console(file=self._stream).status("starting")
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def say(self, text: str) -> None:
        """Shows a text in place of the one before."""
        if self._spinner is not None:
            self._spinner.update(text)
        elif text != self._said:
            print(text, file=self._stream, flush=True)
        self._said = text

    def show(self, status: admin.Status) -> None:
        """Shows how far a start has come."""
        name = status.mesh or "the mesh"
        if self._spinner is None:
            self.say(f"starting {name}") if status.mesh else None
            return
        serving = sum(any(worker.serving for worker in row.workers) for row in status.services)
        waiting = [row.name for row in status.services if not any(worker.serving for worker in row.workers)]
        if not status.services:
            self.say(f"starting {name}: Envoy" if status.mesh else "reading the contracts")
        else:
            self.say(f"starting {name}: {serving} of {len(status.services)} services serve; {', '.join(waiting)}")
