"""Files of descriptors, found by the names that reflection asks for."""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

__all__ = ["DescriptorIndex"]


class DescriptorIndex:
    """Which file declares what, each file serialized once.

    Works on the descriptors as they were compiled and not on a DescriptorPool: a pool forgets the comments, which
    `grpcurl describe` shows.

    Args:
        files: every file with those that it imports; of two that have one name the first counts.
    """

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self.services: tuple[str, ...] = ()
        self._files: dict[str, bytes] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._symbols: dict[str, str] = {}
        self._extensions: dict[str, dict[int, str]] = {}
        for file in files:
            if file.name not in self._files:
                self._add(file)
        self.services = tuple(sorted(self.services))

    def file(self, name: str) -> list[bytes] | None:
        """A file and then all that it imports, serialized; None if there is no such file."""
        if name not in self._files:
            return None
        names = [name]
        for importer in names:  # it grows meanwhile
            names += (n for n in self._imports[importer] if n in self._files and n not in names)
        return [self._files[n] for n in names]

    def declaring(self, symbol: str) -> list[bytes] | None:
        """The file that declares a service, method, message, field, enum or extension, as `file`."""
        name = self._symbols.get(symbol)
        return None if name is None else self.file(name)

    def extending(self, message: str, number: int) -> list[bytes] | None:
        """The file that extends a message by a field of that number, as `file`."""
        name = self._extensions.get(message, {}).get(number)
        return None if name is None else self.file(name)

    def extension_numbers(self, message: str) -> list[int] | None:
        """The numbers of the fields that extend a message; None if there is no such message."""
        return sorted(self._extensions.get(message, {})) if message in self._symbols else None

    def _add(self, file: FileDescriptorProto) -> None:
        self._files[file.name] = file.SerializeToString(deterministic=True)
        self._imports[file.name] = tuple(file.dependency)
        prefix = f"{file.package}." if file.package else ""
        self.services += tuple(prefix + service.name for service in file.service)
        for symbol in _symbols(file, prefix):
            self._symbols.setdefault(symbol, file.name)
        for extension in _extensions(file.extension, file.message_type):
            numbers = self._extensions.setdefault(extension.extendee.removeprefix("."), {})
            numbers[extension.number] = file.name


def _symbols(file: FileDescriptorProto, prefix: str) -> Iterator[str]:
    for service in file.service:
        yield prefix + service.name
        yield from (f"{prefix}{service.name}.{method.name}" for method in service.method)
    for enum in file.enum_type:
        yield prefix + enum.name
        yield from (prefix + value.name for value in enum.value)  # values are siblings of their enum
    yield from (prefix + extension.name for extension in file.extension)
    for message in file.message_type:
        yield from _message_symbols(message, prefix)


def _message_symbols(message: DescriptorProto, prefix: str) -> Iterator[str]:
    name = prefix + message.name
    yield name
    inner = f"{name}."
    yield from (inner + field.name for field in (*message.field, *message.extension))
    yield from (inner + oneof.name for oneof in message.oneof_decl)
    for enum in message.enum_type:
        yield inner + enum.name
        yield from (inner + value.name for value in enum.value)
    for nested in message.nested_type:
        yield from _message_symbols(nested, inner)


def _extensions(
    extensions: Iterable[FieldDescriptorProto], messages: Iterable[DescriptorProto]
) -> Iterator[FieldDescriptorProto]:
    yield from extensions
    for message in messages:
        yield from _extensions(message.extension, message.nested_type)
