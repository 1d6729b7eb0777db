"""Where in a contract a declaration or an option was written."""

import re
from collections.abc import Iterable

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from protomesh.model import Origin

__all__ = ["Locations"]

Path = tuple[int, ...]  # of SourceCodeInfo: field numbers and indexes, from the file down

_NOT_CODE = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//.*|/\*.*?\*/')


class Locations:
    """Finds the places of one contract by the paths of its SourceCodeInfo.

    protoc says where an option's statement begins and no more. Fields inside `= {...}` are looked up in the text, so
    `source` is the file's own text; without it a field is placed at its statement.
    """

    def __init__(self, file: FileDescriptorProto, source: str = "") -> None:
        self._name = f"protos/{file.name}"
        self._lines = source.split("\n")
        self._spans = {tuple(location.path): tuple(location.span) for location in file.source_code_info.location}

    def origin(self, path: Path) -> Origin:
        """Where the declaration at `path` begins, or what encloses it if protoc does not say."""
        while path and path not in self._spans:
            path = path[:-1]
        line, column = self._spans.get(path, (0, 0))[:2]
        return Origin(file=self._name, line=line + 1, column=column + 1)

    def option(self, path: Path, options: int, number: int) -> Origin | None:
        """Where the statement of one option begins; None if the option is not there.

        `options` is the number of the field `options` in the declaration at `path`.
        """
        wanted = (*path, options, number)
        return self.origin(wanted) if wanted in self._spans else next(iter(self._below(wanted)), None)

    def quoted(self, path: Path, options: int, number: int, text: str) -> Origin:
        """Where a string stands in the statement of a message option; at the statement if it is not found."""
        statement = self.option(path, options, number) or self.origin(path)
        span = self._spans.get((*path, options, number), ())
        last = span[2] if len(span) == 4 else statement.line - 1  # noqa: PLR2004 - a span over lines has four numbers
        for line in range(statement.line - 1, min(last + 1, len(self._lines))):
            if (column := self._lines[line].find(f'"{text}"')) >= 0:
                return Origin(file=self._name, line=line + 1, column=column + 1)
        return statement

    def option_fields(
        self, path: Path, options: int, number: int, fields: Iterable[tuple[str, int]]
    ) -> dict[str, Origin]:
        """Where the named fields of a message option were set: name to place, for those that were."""
        statement = (*path, options, number)
        found: dict[str, Origin] = {}
        for name, field in fields:
            if (*statement, field) in self._spans:  # option (protomesh.v1.method).timeout = "2s";
                found[name] = self.origin((*statement, field))
            elif statement in self._spans:
                found[name] = self._inside(self._spans[statement], name) or self.origin(statement)
        return found

    def _below(self, path: Path) -> Iterable[Origin]:
        return (self.origin(known) for known in sorted(self._spans) if known[: len(path)] == path)

    def _inside(self, span: Path, name: str) -> Origin | None:
        """Searches the text of a statement for `name:` outside strings and comments."""
        first, column = span[:2]
        last, end = (first, span[2]) if len(span) == 3 else span[2:4]  # noqa: PLR2004 - a span in one line has three
        for number in range(first, min(last + 1, len(self._lines))):
            text = self._lines[number]
            start, stop = (column if number == first else 0), (end if number == last else len(text))
            blanked = _NOT_CODE.sub(lambda match: " " * len(match[0]), text[:stop])
            if match := re.compile(rf"\b{name}\s*[:{{\[]").search(blanked, start):
                return Origin(file=self._name, line=number + 1, column=match.start() + 1)
        return None
