"""Contracts as the generators of other languages get them: without what only the mesh reads."""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

from protomesh.contract.exposure import exposed_files
from protomesh.model import Topology

__all__ = ["client_contracts", "without_mesh_options"]

# Their options speak to the mesh, to protovalidate and to gateways. A client would have to find, or make, code for
# each of these files only to be able to load its own.
_STRIPPED = ("protomesh/", "buf/validate/", "google/api/")
# What a failed call carries, whether or not a contract imports it.
_DETAILS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
_OPTIONS = "google/protobuf/descriptor.proto"
_IMPORTS = frozenset({3, 10, 11})  # of FileDescriptorProto: dependency, public_dependency, weak_dependency

_Path = tuple[int, ...]


def client_contracts(topology: Topology, *, internal: bool = False) -> FileDescriptorSet:
    """The contracts of a mesh for its clients, each file after those that it imports, comments included.

    INTERNAL methods are left out, and services, messages and files that nothing else needs; `internal` keeps them.
    google/rpc/status.proto and error_details.proto are always there: errors travel in them.
    """
    whole = FileDescriptorSet.FromString(topology.descriptors)
    shown = whole if internal else exposed_files(topology)
    written = {file.name: file for file in shown.file}
    completed = FileDescriptorSet(file=[written.get(file.name, file) for file in whole.file])
    asked = {name for name in written if not name.startswith(("google/", *_STRIPPED))}
    return _reachable(without_mesh_options(completed), asked.union(_DETAILS))


def without_mesh_options(files: FileDescriptorSet) -> FileDescriptorSet:
    """A copy without the options of protomesh, buf.validate and google.api, and without the files that declare them.

    Options of the project's own stay. A file that uses a type of one of those files, not only its options, keeps it.
    """
    stripped = FileDescriptorSet()
    stripped.CopyFrom(files)
    options = _Options(files.file)
    gone = _only_options(files.file)
    del stripped.file[:]
    for file in files.file:
        if file.name not in gone:
            kept = stripped.file.add()
            kept.CopyFrom(file)
            removed = {place for path, holder in _declarations(kept) for place in options.clear(path, holder)}
            _drop_imports(kept, gone)
            _drop_locations(kept, removed)
    return stripped


def _is_stripped(file: FileDescriptorProto) -> bool:
    return file.name.startswith(_STRIPPED)


def _only_options(files: Sequence[FileDescriptorProto]) -> set[str]:
    """The stripped files of which no other file uses more than the options."""
    used: set[str] = set()
    gone: set[str] = set()
    for file in reversed(files):  # an importer comes after what it imports
        declared = {f".{file.package}.{m.name}" for m in file.message_type} | {
            f".{file.package}.{e.name}" for e in file.enum_type
        }
        if _is_stripped(file) and declared.isdisjoint(used):
            gone.add(file.name)
        else:
            used.update(outer for name in _types(file) for outer in _with_outer(name))
    return gone


def _with_outer(name: str) -> Iterator[str]:
    """A type's full name, and those of the messages it may be declared in."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _reachable(files: FileDescriptorSet, asked: Iterable[str]) -> FileDescriptorSet:
    """Only the files asked for, and those they import."""
    names = set(asked)
    for file in reversed(files.file):
        if file.name in names:
            names.update(file.dependency)
    return FileDescriptorSet(file=[file for file in files.file if file.name in names])


class _Options:
    """The options that stripped files declare, in a pool of their own: the default one need not know them."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        pool = descriptor_pool.DescriptorPool()
        if all(file.name != _OPTIONS for file in files):
            pool.AddSerializedFile(descriptor_pb2.DESCRIPTOR.serialized_pb)
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
        self._pool = pool
        self._numbers: dict[str, set[int]] = {}
        for file in files:
            if _is_stripped(file):
                for extension in file.extension:
                    self._numbers.setdefault(extension.extendee.removeprefix("."), set()).add(extension.number)

    def clear(self, path: _Path, holder: Message) -> Iterator[_Path]:
        """Clears them on one declaration; yields where each was."""
        if not holder.HasField("options"):
            return
        options: Message = holder.options  # type: ignore[attr-defined] # every declaration of a file has them
        name = options.DESCRIPTOR.full_name
        numbers = self._numbers.get(name, set())
        known = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))
        read = known.FromString(options.SerializeToString())
        found = [field for field, _ in read.ListFields() if field.is_extension and field.number in numbers]
        for field in found:
            read.ClearExtension(field)  # type: ignore[arg-type] # typed for extensions of generated code
            yield (*path, holder.DESCRIPTOR.fields_by_name["options"].number, field.number)
        if found:
            options.ParseFromString(read.SerializeToString(deterministic=True))
        if not options.ByteSize():
            holder.ClearField("options")


def _declarations(message: Message, path: _Path = ()) -> Iterator[tuple[_Path, Message]]:
    """Every part of a file that can have options, with its place in SourceCodeInfo."""
    if "options" in message.DESCRIPTOR.fields_by_name:
        yield path, message
    for field, value in message.ListFields():
        if field.message_type and field.is_repeated and field.name != "uninterpreted_option":
            for index, part in enumerate(value):
                yield from _declarations(part, (*path, field.number, index))


def _drop_imports(file: FileDescriptorProto, gone: set[str]) -> None:
    """Takes out imports; public and weak ones are kept by their numbers."""
    names = list(file.dependency)
    kept = [name for name in names if name not in gone]
    numbers = {name: number for number, name in enumerate(kept)}
    file.public_dependency[:] = [numbers[names[n]] for n in file.public_dependency if names[n] in numbers]
    file.weak_dependency[:] = [numbers[names[n]] for n in file.weak_dependency if names[n] in numbers]
    file.dependency[:] = kept


def _drop_locations(file: FileDescriptorProto, removed: set[_Path]) -> None:
    """Takes out the locations of imports, whose numbers have changed, and of the removed options."""
    kept = [
        location
        for location in file.source_code_info.location
        if not (
            (location.path and location.path[0] in _IMPORTS)
            or any(tuple(location.path[:end]) in removed for end in range(2, len(location.path) + 1))
        )
    ]
    del file.source_code_info.location[:]
    file.source_code_info.location.extend(kept)


def _types(file: FileDescriptorProto) -> Iterator[str]:
    """Full names, with a leading dot, of the messages and enums that a file refers to outside its options."""
    waiting: list[DescriptorProto] = list(file.message_type)
    while waiting:
        message = waiting.pop()
        yield from (field.type_name for field in message.field if field.type_name)
        waiting += message.nested_type
    for service in file.service:
        for method in service.method:
            yield from (method.input_type, method.output_type)
