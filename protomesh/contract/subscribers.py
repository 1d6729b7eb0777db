"""Who is told of which events, and by whom.

An event belongs to its package, and a package to the services that serve it: those may publish it. Events of a package
that nobody serves belong to nobody in particular, and any service may publish them.
"""

from protomesh.contract.annotations import Contract
from protomesh.contract.mesh_yaml import Mesh

__all__ = ["publishers_of", "subscribers_of"]


def subscribers_of(publisher: str, mesh: Mesh, contract: Contract) -> dict[str, tuple[str, ...]]:
    """The services that subscribe, by each event that `publisher` may publish; both sorted.

    What runs elsewhere publishes nothing through the mesh.
    """
    services = mesh.file.services
    if services[publisher].address is not None:
        return {}
    served = {contract.services[name].package for file in services.values() for name in file.serves}
    own = {contract.services[name].package for name in services[publisher].serves}
    return {
        event: tuple(sorted(name for name, file in services.items() if event in file.subscribes))
        for event, declared in sorted(contract.events.items())
        if declared.package in own or declared.package not in served
    }


def publishers_of(subscriber: str, mesh: Mesh, contract: Contract) -> dict[str, tuple[str, ...]]:
    """The services that may publish, by each event that `subscriber` wants to be told of; both sorted."""
    told = {name: subscribers_of(name, mesh, contract) for name in sorted(mesh.file.services)}
    return {
        event: tuple(name for name, events in told.items() if event in events)
        for event in sorted(set(mesh.file.services[subscriber].subscribes))
    }
