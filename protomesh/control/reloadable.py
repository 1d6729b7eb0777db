"""Whether a mesh that runs can become another one without stopping."""

from protomesh.diagnostics import Problems
from protomesh.model import Topology

__all__ = ["check_reloadable"]

_RULE, _HINT = "NEEDS_RESTART", "Run `protomesh down`, then up."


def check_reloadable(running: Topology, new: Topology) -> None:
    """Looks for what would be neither the old nor the new for a while.

    Envoy and workers would not understand each other while one of them has changed. And data has one owner, who is
    another one for the worker that serves and the one that is to take its place.

    Raises:
        InvalidProject: there is something; with the lines of mesh.yaml.
    """
    problems = Problems()
    for name in running.services.keys() & new.services.keys():
        old, service = running.services[name], new.services[name]
        former, account = (each.account and each.account.name for each in (old, service))
        if old.supervised and service.supervised and former != account:
            origin = service.account.origin if service.account else service.origin
            problems.error(origin, _RULE, f"the user of {name} has changed, and its data can't belong to both", _HINT)
    if running.mtls != new.mtls:
        problems.error(new.origin, _RULE, "mtls has changed, and what runs can't follow", _HINT)
    problems.raise_if_any()
