"""The comments of a .proto file whose declarations were moved or taken out."""

from google.protobuf.descriptor_pb2 import SourceCodeInfo

__all__ = ["Comments", "Path"]

Path = tuple[int, ...]
"""Field numbers and indices that lead from a FileDescriptorProto to a declaration; see SourceCodeInfo.Location."""

_MESSAGES, _ENUMS, _SERVICES, _EXTENSIONS = 4, 5, 6, 7  # of FileDescriptorProto
_IMPORTS = frozenset({3, 10, 11})  # dependency, public_dependency, weak_dependency
_INSIDE = {_MESSAGES: frozenset({3, 4}), _SERVICES: frozenset({2})}  # nested types and enums; methods


class Comments:
    """Which declarations stay, and where.

    Comments that stand free above a declaration are dropped: they may be about one that is gone.
    """

    def __init__(self) -> None:
        self._paths: dict[Path, Path] = {}
        self._shells: set[Path] = set()

    def move(self, old: Path, new: Path, *, whole: bool = True) -> None:
        """Says that the declaration at `old` stays and is now at `new`; if not `whole`, without what is inside it."""
        self._paths[old] = new
        if not whole:
            self._shells.add(old)

    def apply(self, info: SourceCodeInfo) -> None:
        """Rewrites a file's locations so."""
        locations = list(info.location)
        del info.location[:]
        for location in locations:
            path = self._new_path(tuple(location.path))
            if path is not None:
                location.path[:] = path
                location.ClearField("leading_detached_comments")
                info.location.append(location)

    def _new_path(self, path: Path) -> Path | None:
        """Where a location is now; None if it is gone."""
        if not path or path[0] not in {_MESSAGES, _ENUMS, _SERVICES, _EXTENSIONS}:
            return None if path and path[0] in _IMPORTS else path
        depth = 2
        inside = _INSIDE.get(path[0], frozenset())
        while path[:depth] in self._paths and len(path) >= depth + 2 and path[depth] in inside:
            # A nested message may hold others; an enum or a method nothing that is moved by itself.
            inside = inside if path[0] == _MESSAGES and path[depth] == 3 else frozenset()  # noqa: PLR2004 - nested_type
            depth += 2
        declaration, rest = path[:depth], path[depth:]
        if declaration not in self._paths or (declaration in self._shells and rest):
            return None
        return (*self._paths[declaration], *rest)
