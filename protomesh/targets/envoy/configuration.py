"""A rendered configuration: Envoy's resources as plain dicts, with what each needs and where it came from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from protomesh.model import Origin
from protomesh.targets.envoy.names import Body

__all__ = ["Configuration", "Rendered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One xDS resource.

    `needs` are the resources, as type URL and name, that must reach Envoy before it. `origins` tells where the user
    wrote what this resource was made from: its keys are strings that Envoy's NACK may contain, as the full name of a
    method, a REST template or the name of a cluster.
    """

    type_url: str
    name: str
    body: Body
    needs: tuple[tuple[str, str], ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


class Configuration:
    """Every resource that Envoy is told, but for the endpoints: those change by themselves."""

    def __init__(self, resources: Iterable[Rendered]) -> None:
        self._resources = {(resource.type_url, resource.name): resource for resource in resources}

    def resources(self) -> Iterator[Rendered]:
        """Yields every resource, in a settled order."""
        return iter(self._resources.values())

    def of(self, type_url: str) -> Iterator[Rendered]:
        """Yields the resources of one type."""
        return (resource for resource in self.resources() if resource.type_url == type_url)

    def get(self, type_url: str, name: str) -> Rendered | None:
        """The resource of that type and name."""
        return self._resources.get((type_url, name))
