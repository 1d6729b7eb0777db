"""The messages of the contracts: what rules need to know of their fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    field_mask_pb2,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from protomesh.contract.include import VALIDATE, validate_proto
from protomesh.contract.origins import Locations
from protomesh.model import Origin

__all__ = ["Field", "Message", "read_messages"]

_MESSAGE = 4  # FileDescriptorProto.message_type
_NESTED = 3  # DescriptorProto.nested_type
_SCALAR = FieldDescriptorProto.Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message."""

    name: str
    type: str  # "string", "int32" ...; "message" or "enum"
    message: str = ""  # full name, where type is "message"
    repeated: bool = False
    required: bool = False  # a request without it is refused: buf.validate or google.api.field_behavior says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message with its fields."""

    full_name: str
    fields: Mapping[str, Field]  # by name, in the contract's order
    descriptor: DescriptorProto
    path: tuple[int, ...]  # its place in SourceCodeInfo
    origin: Origin

    def has(self, name: str, kind: str) -> bool:
        """Whether a field of that name and type is there, not repeated."""
        field = self.fields.get(name)
        return field is not None and field.type == kind and not field.repeated


def read_messages(file: FileDescriptorProto, locations: Locations) -> Iterator[Message]:
    """Yields every message of a file, nested ones included; not the entries of maps."""
    for index, descriptor in enumerate(file.message_type):
        yield from _read(file, descriptor, file.package, (_MESSAGE, index), locations)


def _read(
    file: FileDescriptorProto, descriptor: DescriptorProto, scope: str, path: tuple[int, ...], locations: Locations
) -> Iterator[Message]:
    name = f"{scope}.{descriptor.name}" if scope else descriptor.name
    validated = VALIDATE in file.dependency
    yield Message(
        full_name=name,
        fields={field.name: _field(field, validated=validated) for field in descriptor.field},
        descriptor=descriptor,
        path=path,
        origin=locations.origin(path),
    )
    for index, nested in enumerate(descriptor.nested_type):
        if not nested.options.map_entry:
            yield from _read(file, nested, name, (*path, _NESTED, index), locations)


def _field(field: FieldDescriptorProto, *, validated: bool) -> Field:
    kind = _SCALAR.Name(field.type).removeprefix("TYPE_").lower()
    behaviors = field.options.Extensions[field_behavior_pb2.field_behavior]
    return Field(
        name=field.name,
        type=kind,
        message=field.type_name.removeprefix(".") if kind == "message" else "",
        repeated=field.label == FieldDescriptorProto.LABEL_REPEATED,
        required=field_behavior_pb2.REQUIRED in behaviors or (validated and _never_empty(field)),
    )


def _never_empty(field: FieldDescriptorProto) -> bool:
    """Whether buf.validate refuses the field's empty value."""
    options, extension = _validate()
    rules = options.FromString(field.options.SerializeToString()).Extensions[extension]
    if rules.required:
        return True
    if rules.HasField("string") and not rules.ignore:
        text = rules.string
        return text.min_len > 0 or text.len > 0 or text.min_bytes > 0 or text.WhichOneof("well_known") in _NEVER_EMPTY
    return False


_NEVER_EMPTY = {"uuid", "tuuid", "ulid"}  # formats that the empty string does not have


@cache
def _validate() -> tuple[type[Any], Any]:
    """FieldOptions and the extension (buf.validate.field) in a pool of their own.

    The default pool belongs to the stubs of the user's project, which may register the same file.
    """
    pool = descriptor_pool.DescriptorPool()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(validate_proto())
    options = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FieldOptions"))
    return options, pool.FindExtensionByName("buf.validate.field")
