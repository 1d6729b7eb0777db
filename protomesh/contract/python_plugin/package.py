"""A proto package as Python sees it: which name comes from which module, and what its comments say."""

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FeatureSet,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from protomesh.v1 import options_pb2

__all__ = ["Declared", "Package", "PythonName", "packages"]

DeclarationT = TypeVar("DeclarationT", DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto)

# Field numbers of FileDescriptorProto, DescriptorProto and ServiceDescriptorProto: paths of source locations are
# made of them (descriptor.proto, SourceCodeInfo).
_FILE_PACKAGE, _FILE_MESSAGE, _FILE_SERVICE, _FILE_SYNTAX = 2, 4, 6, 12
_MESSAGE_FIELD = _SERVICE_METHOD = 2
# Lines of a comment that speak to a tool and not to a reader.
_DIRECTIVES = ("protomesh:ignore", "buf:lint:ignore")


@dataclass(frozen=True, slots=True)
class PythonName:
    """Where protoc puts a message or an enum: a module, and the name inside it, nested ones with dots."""

    module: str  # shop.catalog.v1.catalog_pb2
    name: str  # Product, or Order.State


@dataclass(frozen=True, slots=True)
class Declared(Generic[DeclarationT]):
    """Something that a contract declares, with the module that has it and its comments."""

    proto: DeclarationT
    module: str
    explicit: bool  # whether its fields tell unset from zero unless they say otherwise
    comment: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)  # of its fields or methods, by name

    @property
    def name(self) -> str:
        """Its own name, without the package."""
        return self.proto.name


@dataclass(slots=True)
class Package:
    """All that the files of one proto package declare, in the order of the files."""

    name: str
    names: Mapping[str, PythonName]  # of every message and enum that any file of the request declares
    maps: Mapping[str, DescriptorProto]  # the entries of map fields, by full name
    comment: str = ""
    messages: list[Declared[DescriptorProto]] = field(default_factory=list)
    enums: list[Declared[EnumDescriptorProto]] = field(default_factory=list)
    services: list[Declared[ServiceDescriptorProto]] = field(default_factory=list)
    errors: list[Declared[DescriptorProto]] = field(default_factory=list)

    @property
    def data(self) -> list[Declared[DescriptorProto] | Declared[EnumDescriptorProto]]:
        """Messages and enums: what comes from `_pb2` modules unchanged."""
        return [*self.messages, *self.enums]

    def exported(self) -> list[str]:
        """Every name that the facade offers, sorted."""
        services = [f"{service.name}{kind}" for service in self.services for kind in ("Servicer", "Stub")]
        return sorted([d.name for d in (*self.data, *self.errors)] + services)


def packages(request: CodeGeneratorRequest) -> list[Package]:
    """The packages of the files that protoc asks for, sorted. A file without a package has no facade."""
    names: dict[str, PythonName] = {}
    maps: dict[str, DescriptorProto] = {}
    for file in request.proto_file:
        prefix = f".{file.package}" if file.package else ""
        for enum in file.enum_type:
            names[f"{prefix}.{enum.name}"] = PythonName(_module(file), enum.name)
        for path, message in _nested(file):
            names[f"{prefix}.{path}"] = PythonName(_module(file), path)
            if message.options.map_entry:
                maps[f"{prefix}.{path}"] = message
            for enum in message.enum_type:
                names[f"{prefix}.{path}.{enum.name}"] = PythonName(_module(file), f"{path}.{enum.name}")
    files = {file.name: file for file in request.proto_file}
    found: dict[str, Package] = {}
    for name in request.file_to_generate:
        file = files[name]
        if file.package and not any(keyword.iskeyword(part) for part in file.package.split(".")):
            _add(found.setdefault(file.package, Package(file.package, names, maps)), file)
    return [found[name] for name in sorted(found)]


def _add(package: Package, file: FileDescriptorProto) -> None:
    comments = {tuple(place.path): _text(place.leading_comments) for place in file.source_code_info.location}
    # What is written above `syntax` or `package` is about the file; the first file that says something speaks.
    package.comment = package.comment or comments.get((_FILE_SYNTAX,)) or comments.get((_FILE_PACKAGE,)) or ""
    module = _module(file)
    explicit = _explicit(file)
    package.enums += [Declared(enum, module, explicit) for enum in file.enum_type]
    for index, message in enumerate(file.message_type):
        place = (_FILE_MESSAGE, index)
        inner = {f.name: comments.get((*place, _MESSAGE_FIELD, i), "") for i, f in enumerate(message.field)}
        declared = Declared(message, module, explicit, comments.get(place, ""), inner)
        is_error = message.options.HasExtension(options_pb2.error)
        (package.errors if is_error else package.messages).append(declared)
    for index, service in enumerate(file.service):
        place = (_FILE_SERVICE, index)
        inner = {m.name: comments.get((*place, _SERVICE_METHOD, i), "") for i, m in enumerate(service.method)}
        package.services.append(Declared(service, module, explicit, comments.get(place, ""), inner))


def _explicit(file: FileDescriptorProto) -> bool:
    """Whether a singular scalar has presence by itself: in proto2, and in editions unless the file turns it off."""
    if file.syntax == "editions":
        return file.options.features.field_presence != FeatureSet.IMPLICIT
    return file.syntax != "proto3"


def _module(file: FileDescriptorProto) -> str:
    """The module that protoc writes for a file; it replaces what a module name can't have."""
    return file.name.removesuffix(".proto").replace("-", "_").replace("/", ".") + "_pb2"


def _nested(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """Every message of a file, nested ones too, with its path: Order, Order.Line."""
    pending = [(message.name, message) for message in file.message_type]
    while pending:
        path, message = pending.pop()
        yield path, message
        pending += [(f"{path}.{inner.name}", inner) for inner in message.nested_type]


def _text(comment: str) -> str:
    lines = [line.removeprefix(" ").rstrip() for line in comment.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(_DIRECTIVES)).strip()
