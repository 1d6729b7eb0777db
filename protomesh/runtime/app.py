"""What a composition root makes: everything that one worker runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from protomesh.runtime.jobs import Job

if TYPE_CHECKING:
    from protomesh.runtime.events import Retries

__all__ = ["App"]


class App:
    """The servicers of a service and what it does besides answering.

    Args:
        servicers: Objects of classes that derive from generated servicers.
        consumers: Objects with methods marked by `@on`: they learn of the events that mesh.yaml's `subscribes` lists,
            in transactions of the database that `mesh.database()` has opened.
        jobs: What is done again and again, made with `every`.
        retries: When an event of this service that a subscriber could not handle comes to it again, and how often.
            Where a broker carries events it is about those that this service could not handle.

    Raises:
        ValueError: two jobs have one name.
    """

    def __init__(
        self,
        *servicers: object,
        consumers: Sequence[object] = (),
        jobs: Sequence[Job] = (),
        retries: "Retries | None" = None,
    ) -> None:
        names_of_jobs = [job.name for job in jobs]
        if twice := sorted({name for name in names_of_jobs if names_of_jobs.count(name) > 1}):
            raise ValueError(f"two jobs are named {', '.join(twice)}; give one of them another name: every(..., name=)")
        self.servicers = servicers
        self.consumers = tuple(consumers)
        self.jobs = tuple(jobs)
        self.retries = retries
