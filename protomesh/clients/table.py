"""What a caller may know of each method, for the table that every client has."""

from collections.abc import Iterator
from dataclasses import dataclass

from protomesh.model import Topology

__all__ = ["Row", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method."""

    full_name: str  # shop.catalog.v1.CatalogService/GetProduct
    deadline: int  # milliseconds; 0 for a stream without one
    repeatable: bool  # a second call leaves what the first left
    audience: str  # INTERNAL, USER or PUBLIC


def rows(topology: Topology, *, internal: bool) -> Iterator[Row]:
    """Yields a row for each method at the edge, or for each at all, by name."""
    for _, method in sorted(topology.methods(), key=lambda pair: pair[1].full_name):
        if internal or method.exposed:
            yield Row(
                full_name=method.full_name,
                deadline=0 if method.timeout is None else round(method.timeout.total_seconds() * 1000),
                repeatable=method.safety.repeatable,
                audience=method.audience.name,
            )
