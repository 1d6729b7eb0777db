"""The Python types of a message's fields, as type checkers see them."""

from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FeatureSet, FieldDescriptorProto

from protomesh.contract.python_plugin.imports import Imports
from protomesh.contract.python_plugin.package import Package

__all__ = ["FieldType", "field_type"]

_FIELD = FieldDescriptorProto
_SCALARS = {
    _FIELD.TYPE_STRING: "_builtins.str",
    _FIELD.TYPE_BYTES: "_builtins.bytes",
    _FIELD.TYPE_BOOL: "_builtins.bool",
    _FIELD.TYPE_DOUBLE: "_builtins.float",
    _FIELD.TYPE_FLOAT: "_builtins.float",
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a constructor takes for a field, and what reading it gives."""

    given: str
    read: str


def field_type(field: FieldDescriptorProto, package: Package, imports: Imports, *, explicit: bool) -> FieldType:
    """The types of one field; one that tells unset from zero reads as None while it is not set.

    `explicit` says whether fields of its file do so unless they say otherwise.
    """
    entry = package.maps.get(field.type_name)
    if field.label == _FIELD.LABEL_REPEATED and entry is not None:
        key, value = (_single(inner, package, imports) for inner in entry.field)
        mapping = f"{imports.module('collections.abc')}.Mapping[{key}, {value}]"
        return FieldType(mapping, mapping)
    single = _single(field, package, imports)
    if field.label == _FIELD.LABEL_REPEATED:
        abc = imports.module("collections.abc")
        return FieldType(f"{abc}.Iterable[{single}]", f"{abc}.Sequence[{single}]")
    features = field.options.features
    if features.HasField("field_presence"):
        explicit = features.field_presence != FeatureSet.IMPLICIT
    if explicit or field.type in {_FIELD.TYPE_MESSAGE, _FIELD.TYPE_GROUP} or field.HasField("oneof_index"):
        return FieldType(f"{single} | None", f"{single} | None")
    return FieldType(single, single)


def _single(field: FieldDescriptorProto, package: Package, imports: Imports) -> str:
    if field.type_name:
        name = package.names[field.type_name]
        path = f"{imports.module(name.module)}.{name.name}"
        return f"{path}.ValueType" if field.type == _FIELD.TYPE_ENUM else path
    return _SCALARS.get(field.type, "_builtins.int")
