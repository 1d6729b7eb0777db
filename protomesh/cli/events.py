"""`protomesh events`: what a service has published and somebody could not handle.

The work is done by `python -m protomesh.runtime.events` in the environment of the service's workers. They may run: the
relay sees what is changed here at once.
"""

from collections.abc import Sequence
from pathlib import Path

from protomesh.cli.project import Project
from protomesh.cli.service_data import ServiceData

__all__ = ["list_stuck", "replay", "skip"]

_EVENTS = "protomesh.runtime.events"


def list_stuck(directory: Path | None, service: str) -> None:
    """Prints what is stuck: dead letters, what is still tried, and how much waits behind each.

    Raises:
        Failure: the service has no database, or it can't be read.
    """
    ServiceData.of(Project.find(directory), service).run(_EVENTS, "list")


def replay(directory: Path | None, service: str, events: Sequence[str]) -> None:
    """Has dead letters tried again, all of them if none is named.

    Raises:
        Failure: as for `list_stuck`; or a named event is no dead letter.
    """
    ServiceData.of(Project.find(directory), service).run(_EVENTS, "replay", *events)


def skip(directory: Path | None, service: str, events: Sequence[str]) -> None:
    """Gives dead letters up: their subscribers never learn of them.

    Raises:
        Failure: as for `replay`.
    """
    ServiceData.of(Project.find(directory), service).run(_EVENTS, "skip", *events)
