"""Contracts as callers at the edge may see them: what is exposed, and nothing that only INTERNAL methods use."""

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from protomesh.contract.comments import Comments, Path
from protomesh.model import Topology

__all__ = ["exposed_files"]

# Files that everybody has: they tell nothing about this mesh, and are kept whole where something imports them.
_LIBRARIES = ("google/", "buf/", "protomesh/v1/")
_OPTIONS = ".google.protobuf."


def exposed_files(topology: Topology) -> FileDescriptorSet:
    """The contracts of a mesh without INTERNAL methods, services that have no other, and messages only these use.

    What stays: the exposed methods, every message and enum that can be reached from them, the declared errors that
    they list and those of their packages, the project's own options, and the comments on all these. A message that
    stays only because another one is declared inside it stays without its fields. Files remain in their order, each
    after those that it imports.
    """
    files = FileDescriptorSet.FromString(topology.descriptors).file
    kept = _Kept(files, topology)
    result: dict[str, FileDescriptorProto] = {}
    for file in files:
        library = file.name.startswith(_LIBRARIES)
        pruned = file if library else kept.prune(file)
        _keep_imports(pruned, result)
        if library or pruned.public_dependency or _declares_something(pruned):
            result[file.name] = pruned
    imported = {name for file in result.values() for name in file.dependency if not file.name.startswith(_LIBRARIES)}
    for name in reversed(result):  # an importer comes after what it imports
        if name in imported:
            imported.update(result[name].dependency)
    return FileDescriptorSet(
        file=[file for name, file in result.items() if name in imported or not name.startswith(_LIBRARIES)]
    )


class _Kept:
    """What stays, by full names with a leading dot, as descriptors spell references."""

    def __init__(self, files: Iterable[FileDescriptorProto], topology: Topology) -> None:
        self._messages: dict[str, DescriptorProto] = {}
        options: list[FieldDescriptorProto] = []
        for file in files:
            self._messages.update(_messages(_scope(file), file.message_type))
            options += (extension for extension in file.extension if extension.extendee.startswith(_OPTIONS))
        self._methods = {f".{method.full_name.replace('/', '.')}" for _, method in topology.exposed()}
        self._names: set[str] = set()
        listed = {error for _, method in topology.exposed() for error in method.errors}
        packages = {s.package for _, s in topology.rpc_services() if any(method.exposed for method in s.methods)}
        for _, method in topology.exposed():
            self._reach(f".{method.request}")
            self._reach(f".{method.response}")
        for error in topology.errors:
            if error in listed or error.rpartition(".")[0] in packages:
                self._reach(f".{error}")
        for option in options:
            self._reach(option.type_name)

    def prune(self, file: FileDescriptorProto) -> FileDescriptorProto:
        """A copy of a file without what does not stay."""
        pruned = FileDescriptorProto()
        pruned.CopyFrom(file)
        for declarations in ("message_type", "enum_type", "service", "extension"):
            pruned.ClearField(declarations)
        scope = _scope(file)
        comments = Comments()
        self._keep_messages(file.message_type, pruned.message_type, scope, (4,), (4,), comments)
        for index, enum in enumerate(file.enum_type):
            if f"{scope}.{enum.name}" in self._names:
                comments.move((5, index), (5, len(pruned.enum_type)))
                pruned.enum_type.append(enum)
        for index, service in enumerate(file.service):
            new = (6, len(pruned.service))
            if self._keep_methods(service, pruned, scope, (6, index), comments):
                comments.move((6, index), new)
        for index, extension in enumerate(file.extension):
            if extension.extendee.startswith(_OPTIONS):
                comments.move((7, index), (7, len(pruned.extension)))
                pruned.extension.append(extension)
        comments.apply(pruned.source_code_info)
        return pruned

    def _keep_messages(
        self,
        source: Sequence[DescriptorProto],
        target: "Sequence[DescriptorProto]",
        scope: str,
        old: Path,
        new: Path,
        comments: Comments,
    ) -> None:
        for index, message in enumerate(source):
            name = f"{scope}.{message.name}"
            if not self._shows(name, message):
                continue
            whole = name in self._names
            old_path, new_path = (*old, index), (*new, len(target))
            comments.move(old_path, new_path, whole=whole)
            kept = target.add()  # type: ignore[attr-defined] # a repeated field, for which there is no public type
            if whole:
                kept.CopyFrom(message)
                for declarations in ("nested_type", "enum_type", "extension"):
                    kept.ClearField(declarations)
            else:
                kept.name = message.name
            self._keep_messages(message.nested_type, kept.nested_type, name, (*old_path, 3), (*new_path, 3), comments)
            for number, enum in enumerate(message.enum_type):
                if f"{name}.{enum.name}" in self._names:
                    comments.move((*old_path, 4, number), (*new_path, 4, len(kept.enum_type)))
                    kept.enum_type.append(enum)

    def _keep_methods(
        self, service: ServiceDescriptorProto, pruned: FileDescriptorProto, scope: str, old: Path, comments: Comments
    ) -> bool:
        numbers = [n for n, m in enumerate(service.method) if f"{scope}.{service.name}.{m.name}" in self._methods]
        if not numbers:
            return False
        for place, number in enumerate(numbers):
            comments.move((*old, 2, number), (6, len(pruned.service), 2, place))
        kept = pruned.service.add()
        kept.CopyFrom(service)
        kept.ClearField("method")
        kept.method.extend(service.method[number] for number in numbers)
        return True

    def _reach(self, name: str) -> None:
        """Keeps a message or enum and all that its fields can hold."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if not name or name in self._names:
                continue
            self._names.add(name)
            if message := self._messages.get(name):
                waiting += (field.type_name for field in message.field)

    def _shows(self, name: str, message: DescriptorProto) -> bool:
        """Whether a message stays, if only as the place where another one is declared."""
        if name in self._names or any(f"{name}.{enum.name}" in self._names for enum in message.enum_type):
            return True
        return any(self._shows(f"{name}.{nested.name}", nested) for nested in message.nested_type)


def _scope(file: FileDescriptorProto) -> str:
    return f".{file.package}" if file.package else ""


def _messages(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name, message
        yield from _messages(name, message.nested_type)


def _declares_something(file: FileDescriptorProto) -> bool:
    return bool(file.message_type or file.enum_type or file.service or file.extension)


def _keep_imports(file: FileDescriptorProto, present: Iterable[str]) -> None:
    """Takes out the imports of files of which nothing is left; public and weak ones are kept by their numbers."""
    there = set(present)
    names = list(file.dependency)
    kept = [name for name in names if name in there]
    numbers = {name: number for number, name in enumerate(kept)}
    public = [numbers[names[n]] for n in file.public_dependency if names[n] in numbers]
    weak = [numbers[names[n]] for n in file.weak_dependency if names[n] in numbers]
    file.dependency[:] = kept
    file.public_dependency[:] = public
    file.weak_dependency[:] = weak
