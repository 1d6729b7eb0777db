"""One mesh for each project directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protomesh.model import Layout

__all__ = ["AlreadyRunning", "exclusive"]


class AlreadyRunning(Exception):  # noqa: N818 - it says what happened
    """Another process runs the mesh of this project, or is about to."""


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Holds the project's lock. The system lets go of it when the process ends, however that happens.

    The file lies with the project's state and stays: removing a lock that another one waits for gives it to two.

    Raises:
        AlreadyRunning: somebody else holds it.
    """
    descriptor = os.open(Path(layout.state) / "mesh.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(str(layout.run)) from error
        yield
    finally:
        os.close(descriptor)
