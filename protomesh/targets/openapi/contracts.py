"""The contracts as descriptors, with what descriptors forget: comments, and options that this process may not know."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from protomesh.model import Topology
from protomesh.targets.openapi.rules import needs_value

__all__ = ["INPUT_ONLY", "OUTPUT_ONLY", "Contracts"]

REQUIRED, OUTPUT_ONLY, INPUT_ONLY = 2, 3, 4  # google.api.FieldBehavior

Path = tuple[int, ...]
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6  # fields of FileDescriptorProto, as SourceCodeInfo spells paths
_FIELD, _NESTED, _NESTED_ENUM, _METHOD, _VALUE = 2, 3, 4, 2, 2  # inside of those


class Contracts:
    """Messages, methods and comments by full name.

    Works in a pool of its own: the default pool belongs to the stubs of the project, which may register the same files.

    Making one takes as long as writing a page from it: whoever writes several has one for all.
    """

    def __init__(self, topology: Topology) -> None:
        self._pool = DescriptorPool()
        self._comments: dict[str, str] = {}
        for file in FileDescriptorSet.FromString(topology.descriptors).file:
            self._pool.Add(file)
            locations = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
            for name, path in _paths(file):
                if comment := locations.get(path, "").strip():
                    self._comments[name] = _unwrapped(comment)

    def message(self, full_name: str) -> Descriptor:
        """A message that the contracts declare or import."""
        return self._pool.FindMessageTypeByName(full_name)

    def method(self, full_name: str) -> MethodDescriptor:
        """A method, by its name with a slash: shop.catalog.v1.CatalogService/GetProduct."""
        service, _, name = full_name.partition("/")
        return self._pool.FindServiceByName(service).methods_by_name[name]

    def comment(self, full_name: str) -> str:
        """What is written above a declaration; a paragraph is one line. Empty if nothing is."""
        return self._comments.get(full_name, "")

    def rules(self, field: FieldDescriptor) -> Any:
        """A field's rules of buf.validate; None where no contract imports them."""
        return self._option(field, "buf.validate.field")

    def behaviors(self, field: FieldDescriptor) -> list[int]:
        """A field's google.api.FieldBehavior: https://google.aip.dev/203."""
        return list(self._option(field, "google.api.field_behavior") or ())

    def needed(self, field: FieldDescriptor) -> bool:
        """Whether a request without the field is refused."""
        rules = self.rules(field)
        return REQUIRED in self.behaviors(field) or (rules is not None and needs_value(field, rules))

    def _option(self, field: FieldDescriptor, extension: str) -> Any:
        try:
            found = self._pool.FindExtensionByName(extension)
        except KeyError:
            return None
        options: Any = GetMessageClass(self._pool.FindMessageTypeByName("google.protobuf.FieldOptions"))
        return options.FromString(field.GetOptions().SerializeToString()).Extensions[found]


def _paths(file: FileDescriptorProto) -> Iterator[tuple[str, Path]]:
    prefix = f"{file.package}." if file.package else ""
    for index, service in enumerate(file.service):
        yield prefix + service.name, (_SERVICE, index)
        for number, method in enumerate(service.method):
            yield f"{prefix}{service.name}/{method.name}", (_SERVICE, index, _METHOD, number)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(f"{prefix}{enum.name}", (_ENUM, index), [value.name for value in enum.value])
    for index, message in enumerate(file.message_type):
        yield from _message(f"{prefix}{message.name}", (_MESSAGE, index), message)


def _message(name: str, path: Path, message: DescriptorProto) -> Iterator[tuple[str, Path]]:
    yield name, path
    fields: Iterable[FieldDescriptorProto] = message.field
    for index, field in enumerate(fields):
        yield f"{name}.{field.name}", (*path, _FIELD, index)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(f"{name}.{enum.name}", (*path, _NESTED_ENUM, index), [value.name for value in enum.value])
    for index, nested in enumerate(message.nested_type):
        yield from _message(f"{name}.{nested.name}", (*path, _NESTED, index), nested)


def _enum(name: str, path: Path, values: list[str]) -> Iterator[tuple[str, Path]]:
    yield name, path
    for index, value in enumerate(values):
        yield f"{name}.{value}", (*path, _VALUE, index)


def _unwrapped(comment: str) -> str:
    """Joins the lines of each paragraph: where a .proto file breaks them means nothing to a reader of the page."""
    paragraphs = "\n".join(line.strip() for line in comment.splitlines()).split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
