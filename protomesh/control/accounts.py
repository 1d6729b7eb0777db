"""Services that run as other users than the mesh: whether this machine can have it so."""

from collections.abc import Iterable

from protomesh.diagnostics import Problems
from protomesh.model import Service
from protomesh.supervisor import AccountUnusable, Owner

__all__ = ["check_accounts"]


def check_accounts(services: Iterable[Service]) -> None:
    """Looks for the users that mesh.yaml names. `protomesh check` does not: it may run on another machine.

    Raises:
        InvalidProject: one does not exist, or can't be had without being root; with the lines.
    """
    problems = Problems()
    for service in services:
        try:
            Owner.of(service)
        except AccountUnusable as error:
            assert service.account is not None, "else it has no owner but us"
            problems.error(service.account.origin, "USER_UNUSABLE", error.what, error.hint)
    problems.raise_if_any()
