"""Prints a file descriptor as .proto source.

For descriptors that come without their source, so that protoc and buf can import them. Covers what such a file of
options needs: messages, enums, oneofs, maps, extensions, reserved names and numbers, and every option that is set.
Comments are not in a descriptor and are lost. Groups and services are refused rather than printed wrong.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_encoding, text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

__all__ = ["print_file"]

_Field = descriptor_pb2.FieldDescriptorProto
_LARGEST_FIELD_NUMBER = 536870911
_LARGEST_ENUM_NUMBER = 2147483647
_LABELS = {_Field.LABEL_OPTIONAL: "optional ", _Field.LABEL_REQUIRED: "required ", _Field.LABEL_REPEATED: "repeated "}


def print_file(file: descriptor_pb2.FileDescriptorProto, dependencies: Iterable[bytes] = ()) -> str:
    """Prints the source whose descriptor equals `file`, comments aside.

    `dependencies` are the serialized files it imports, each after those it imports itself; custom options are read
    with them. google/protobuf/descriptor.proto need not be among them.

    Raises:
        ValueError: `file` has a group or a service.
    """
    return "\n".join(_Printer(file, dependencies).lines()) + "\n"


class _Printer:
    def __init__(self, file: descriptor_pb2.FileDescriptorProto, dependencies: Iterable[bytes]) -> None:
        if file.service:
            raise ValueError(f"{file.name} has a service, which is not printed")
        self._file = file
        self._proto2 = file.syntax in {"", "proto2"}
        self._editions = file.syntax == "editions"
        self._pool = descriptor_pool.DescriptorPool()
        for dependency in (descriptor_pb2.DESCRIPTOR.serialized_pb, *dependencies):
            self._pool.AddSerializedFile(dependency)
        self._pool.AddSerializedFile(file.SerializeToString())

    def lines(self) -> Iterator[str]:
        file = self._file
        if self._editions:
            yield f'edition = "{descriptor_pb2.Edition.Name(file.edition).removeprefix("EDITION_")}";'
        else:
            yield f'syntax = "{file.syntax or "proto2"}";'
        if file.package:
            yield from ("", f"package {file.package};")
        if file.dependency:
            yield ""
        for index, name in enumerate(file.dependency):
            yield f'import {"public " if index in file.public_dependency else ""}"{name}";'
        yield from self._statements(file.options, "")
        for enum in file.enum_type:
            yield from self._enum(enum, "")
        for message in file.message_type:
            yield from self._message(message, "")
        yield from self._extensions(file.extension, "")

    def _message(self, message: descriptor_pb2.DescriptorProto, indent: str) -> Iterator[str]:
        inner = indent + "  "
        yield from ("", f"{indent}message {message.name} {{")
        yield from self._statements(message.options, inner)
        for extensions in message.extension_range:
            span = _span(extensions.start, extensions.end - 1, _LARGEST_FIELD_NUMBER)
            yield f"{inner}extensions {span}{self._bracketed(extensions.options)};"
        yield from _reserved([(r.start, r.end - 1) for r in message.reserved_range], _LARGEST_FIELD_NUMBER, inner)
        yield from self._reserved_names(message.reserved_name, inner)
        maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        opened: set[int] = set()
        for field in message.field:
            if field.HasField("oneof_index") and not field.proto3_optional:
                if field.oneof_index not in opened:  # fields of one oneof are printed where its first one stands
                    opened.add(field.oneof_index)
                    members = [f for f in message.field if f.HasField("oneof_index")]
                    yield from self._oneof(
                        message.oneof_decl[field.oneof_index],
                        [f for f in members if f.oneof_index == field.oneof_index],
                        inner,
                    )
                continue
            entry = maps.get(field.type_name.rpartition(".")[2])
            yield self._map(field, entry, inner) if entry else self._field(field, inner)
        for enum in message.enum_type:
            yield from self._enum(enum, inner)
        for nested in message.nested_type:
            if not nested.options.map_entry:
                yield from self._message(nested, inner)
        yield from self._extensions(message.extension, inner)
        yield indent + "}"

    def _oneof(self, oneof: descriptor_pb2.OneofDescriptorProto, fields: list[_Field], indent: str) -> Iterator[str]:
        yield f"{indent}oneof {oneof.name} {{"
        yield from self._statements(oneof.options, indent + "  ")
        for field in fields:
            yield self._field(field, indent + "  ", label="")
        yield indent + "}"

    def _map(self, field: _Field, entry: descriptor_pb2.DescriptorProto, indent: str) -> str:
        key, value = entry.field
        written = f"map<{self._type(key)}, {self._type(value)}> {field.name} = {field.number}"
        return f"{indent}{written}{self._bracketed(field.options)};"

    def _field(self, field: _Field, indent: str, label: str | None = None) -> str:
        if field.type == _Field.TYPE_GROUP and not self._editions:
            raise ValueError(f"{field.name} is a group, which is not printed")
        if label is None:
            implied = field.label == _Field.LABEL_OPTIONAL and not self._proto2 and not field.proto3_optional
            label = "" if implied else _LABELS[field.label]
        written = f"{label}{self._type(field)} {field.name} = {field.number}"
        return f"{indent}{written}{self._bracketed(field.options, _default(field))};"

    def _type(self, field: _Field) -> str:
        return field.type_name or _Field.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _enum(self, enum: descriptor_pb2.EnumDescriptorProto, indent: str) -> Iterator[str]:
        inner = indent + "  "
        yield from ("", f"{indent}enum {enum.name} {{")
        yield from self._statements(enum.options, inner)
        yield from _reserved([(r.start, r.end) for r in enum.reserved_range], _LARGEST_ENUM_NUMBER, inner)
        yield from self._reserved_names(enum.reserved_name, inner)
        for value in enum.value:
            yield f"{inner}{value.name} = {value.number}{self._bracketed(value.options)};"
        yield indent + "}"

    def _extensions(self, extensions: Iterable[_Field], indent: str) -> Iterator[str]:
        for extension in extensions:
            yield from (
                "",
                f"{indent}extend {extension.extendee} {{",
                self._field(extension, indent + "  "),
                f"{indent}}}",
            )

    def _reserved_names(self, names: Iterable[str], indent: str) -> Iterator[str]:
        if written := ", ".join(name if self._editions else f'"{name}"' for name in names):
            yield f"{indent}reserved {written};"

    def _statements(self, options: Message, indent: str) -> Iterator[str]:
        for index, (name, value) in enumerate(self._options(options)):
            if not indent and not index:
                yield ""
            yield f"{indent}option {name} = {value};"

    def _bracketed(self, options: Message, first: str = "") -> str:
        written = ", ".join(filter(None, [first, *(f"{name} = {value}" for name, value in self._options(options))]))
        return f" [{written}]" if written else ""

    def _options(self, options: Message) -> Iterator[tuple[str, str]]:
        """Yields name and value of each option, read in the private pool, which knows the custom ones."""
        known = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
        for field, value in known.FromString(options.SerializeToString()).ListFields():
            if field.name == "map_entry" and not field.is_extension:
                continue
            name = f"({field.full_name})" if field.is_extension else field.name
            for single in value if field.is_repeated else [value]:
                if field.message_type and not field.is_extension:  # features, which are set one by one
                    for inner, setting in single.ListFields():
                        yield f"{name}.{inner.name}", _value(inner, setting)
                else:
                    yield name, _value(field, single)


def _value(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, Message):
        return "{" + text_format.MessageToString(value, as_one_line=True, as_utf8=True) + "}"
    if field.enum_type:
        return str(field.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str | bytes) else str(value)


def _quoted(text: Any) -> str:
    return '"' + str(text_encoding.CEscape(text, as_utf8=isinstance(text, str))) + '"'


def _default(field: _Field) -> str:
    parts = []
    if field.HasField("default_value"):
        value = field.default_value
        if field.type == _Field.TYPE_STRING:
            value = _quoted(value)
        elif field.type == _Field.TYPE_BYTES:
            value = f'"{value}"'  # a descriptor holds bytes escaped already
        parts.append(f"default = {value}")
    if field.HasField("json_name") and field.json_name != _json_name(field.name) and not field.extendee:
        parts.append(f"json_name = {json.dumps(field.json_name)}")
    return ", ".join(parts)


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _reserved(spans: Iterable[tuple[int, int]], largest: int, indent: str) -> Iterator[str]:
    if written := ", ".join(_span(first, last, largest) for first, last in spans):
        yield f"{indent}reserved {written};"


def _span(first: int, last: int, largest: int) -> str:
    if first == last:
        return str(first)
    return f"{first} to {'max' if last == largest else last}"
