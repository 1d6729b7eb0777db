"""In which order services end, so that each can finish what it has begun."""

from collections.abc import Mapping

from protomesh.model import Service

__all__ = ["callers_of"]


def callers_of(services: Mapping[str, Service]) -> Mapping[str, frozenset[str]]:
    """Which services each one outlives: those that call it.

    Two that call each other, directly or through others, do not wait for each other.
    """
    callees = {name: _reachable(name, services) for name in services}
    return {
        name: frozenset(
            caller
            for caller, service in services.items()
            if any(call.service == name for call in service.calls) and caller not in callees[name]
        )
        for name in services
    }


def _reachable(name: str, services: Mapping[str, Service]) -> set[str]:
    """Every service that calls of `name` may lead to; itself, too, if it is on a cycle."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        service = services.get(waiting.pop())
        new = {call.service for call in service.calls} - found if service is not None else set()
        found |= new
        waiting += new
    return found
