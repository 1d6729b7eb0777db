"""Everything a client should hold at one moment.

Inconsistent
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from protomesh.xds.resource import Key, Resource

__all__ = ["Inconsistent", "Snapshot"]

_NOTHING: Mapping[str, Resource] = MappingProxyType({})


class Inconsistent(Exception):  # noqa: N818 - it names a state of the snapshot, not a failure of ours
    """A snapshot holds resources that need others which it does not hold. `missing` has every such pair."""

    def __init__(self, missing: tuple[tuple[Resource, Key], ...]) -> None:
        self.missing = missing
        super().__init__(
            "; ".join(f"{_show(resource.key)} needs {_show(key)}, which is not there" for resource, key in missing)
        )


class Snapshot:
    """An immutable set of resources, one of each type and name.

    Two snapshots made from one another share what did not change, so that a change of one type costs nothing for the
    others.

    Raises:
        ValueError: two resources have the same type and name.
    """

    __slots__ = ("_by_type",)

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        by_type: dict[str, dict[str, Resource]] = {}
        for resource in resources:
            named = by_type.setdefault(resource.type_url, {})
            if resource.name in named:
                raise ValueError(f"two resources are {_show(resource.key)}")
            named[resource.name] = resource
        self._by_type: Mapping[str, Mapping[str, Resource]] = by_type

    def __iter__(self) -> Iterator[Resource]:
        return (resource for named in self._by_type.values() for resource in named.values())

    @property
    def types(self) -> frozenset[str]:
        """The type URLs of which there is at least one resource."""
        return frozenset(self._by_type)

    def resources(self, type_url: str) -> Mapping[str, Resource]:
        """The resources of one type by name; the same object for as long as none of them changed."""
        return self._by_type.get(type_url, _NOTHING)

    def get(self, key: Key) -> Resource | None:
        """The resource of that type and name."""
        return self.resources(key[0]).get(key[1])

    def with_resources(self, *resources: Resource) -> "Snapshot":
        """A snapshot in which these resources take the place of those of the same type and name."""
        changed = {
            type_url: dict(named)
            for type_url, named in self._by_type.items()
            if any(r.type_url == type_url for r in resources)
        }
        for resource in resources:
            changed.setdefault(resource.type_url, {})[resource.name] = resource
        snapshot = Snapshot()
        snapshot._by_type = {**self._by_type, **changed}
        return snapshot

    def after(self, former: "Snapshot | None") -> "Snapshot":
        """The same content, sharing each type that is equal in `former`."""
        if former is None:
            return self
        snapshot = Snapshot()
        snapshot._by_type = {
            type_url: old if (old := former.resources(type_url)) is named or old == named else named
            for type_url, named in self._by_type.items()
        }
        return snapshot

    def changed_types(self, former: "Snapshot | None") -> frozenset[str]:
        """The types in which this snapshot differs from a former one."""
        if former is None:
            return self.types
        return frozenset(t for t in self.types | former.types if self.resources(t) != former.resources(t))

    def check_consistent(self) -> None:
        """Checks that every resource finds what it needs.

        Raises:
            Inconsistent: one does not; the text names both ends of every broken reference.
        """
        missing = tuple((resource, key) for resource in self for key in resource.needs if self.get(key) is None)
        if missing:
            raise Inconsistent(missing)


def _show(key: Key) -> str:
    return f"{key[0].rpartition('.')[2]} {key[1]!r}"
