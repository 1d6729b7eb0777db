"""Messages as JSON Schema, in protobuf's JSON form.

https://protobuf.dev/programming-guides/json/
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from protomesh.targets.openapi.contracts import INPUT_ONLY, OUTPUT_ONLY, Contracts
from protomesh.targets.openapi.rules import constraints, element_rules

__all__ = ["WELL_KNOWN", "Schemas"]

Schema = dict[str, Any]

_UINT32 = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_INT32 = {"type": "integer", "format": "int32"}
_INT64 = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
_UINT64 = {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}
_BYTES = {"type": "string", "contentEncoding": "base64"}
_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}
WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Names of fields, separated by commas."},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string", "description": "A URL that ends with the message's full name."}},
        "required": ["@type"],
        "additionalProperties": True,
    },
    "google.protobuf.BoolValue": {"type": ["boolean", "null"]},
    "google.protobuf.StringValue": {"type": ["string", "null"]},
    "google.protobuf.BytesValue": {"type": ["string", "null"], "contentEncoding": "base64"},
    "google.protobuf.FloatValue": {"type": ["number", "null"]},
    "google.protobuf.DoubleValue": {"type": ["number", "null"]},
    "google.protobuf.Int32Value": {"type": ["integer", "null"]},
    "google.protobuf.UInt32Value": {"type": ["integer", "null"], "minimum": 0},
    "google.protobuf.Int64Value": {"type": ["string", "null"], "format": "int64"},
    "google.protobuf.UInt64Value": {"type": ["string", "null"], "format": "uint64"},
}
"""Messages that JSON writes in a form of their own."""


class Schemas:
    """The schemas of messages and enums, collected as they are referred to.

    Args:
        contracts: Where the messages are.
        answered: Full names of the messages that are part of a response. In these nothing is required: a field with
            its empty value is left out.
    """

    def __init__(self, contracts: Contracts, answered: frozenset[str]) -> None:
        self._contracts = contracts
        self._answered = answered
        self._found: dict[str, Schema] = {}

    def components(self) -> dict[str, Schema]:
        """What was referred to, by full name.

        Generators of clients name a class after its title, so two schemas that would get the same one have none.
        """
        titles = Counter(_class_name(schema) for schema in self._found.values())
        return {
            name: schema if titles[_class_name(schema)] == 1 else {k: v for k, v in schema.items() if k != "title"}
            for name, schema in sorted(self._found.items())
        }

    def of_message(self, message: Descriptor) -> Schema:
        """A message's schema, or a reference to it."""
        if message.full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[message.full_name])
        if message.full_name not in self._found:
            self._found[message.full_name] = {}  # messages may contain themselves
            self._found[message.full_name] = self._message(message)
        return {"$ref": f"#/components/schemas/{message.full_name}"}

    def of_rest(self, message: Descriptor, elsewhere: Collection[str]) -> Schema:
        """A message without the fields that are said `elsewhere`, by name: in the path."""
        if not elsewhere:
            return self.of_message(message)
        schema = self._message(message)
        for field in message.fields:
            if field.name in elsewhere:
                schema["properties"].pop(field.json_name)
                schema["required"] = [name for name in schema.get("required", ()) if name != field.json_name]
        return {key: value for key, value in schema.items() if value or key == "type"}

    def of_field(self, field: FieldDescriptor) -> Schema:
        """A field's schema, with its comment and rules."""
        rules = self._contracts.rules(field)
        schema = self._values(field, rules)
        if rules is not None:
            schema |= constraints(rules)
        if comment := self._contracts.comment(field.full_name):
            schema["description"] = comment
        behaviors = self._contracts.behaviors(field)
        if OUTPUT_ONLY in behaviors:
            schema["readOnly"] = True
        if INPUT_ONLY in behaviors:
            schema["writeOnly"] = True
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        return schema

    def _message(self, message: Descriptor) -> Schema:
        schema: Schema = {"type": "object", "title": _title(message)}
        if comment := self._contracts.comment(message.full_name):
            schema["description"] = comment
        if message.fields:
            schema["properties"] = {field.json_name: self.of_field(field) for field in message.fields}
        if message.full_name not in self._answered:
            required = [field.json_name for field in message.fields if self._contracts.needed(field)]
            if required:
                schema["required"] = required
        return schema

    def _values(self, field: FieldDescriptor, rules: Any) -> Schema:
        """A field's own value, in a list or a map if it has many."""
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            values = self._one(entry.fields_by_name["value"], element_rules(rules, "values") if rules else None)
            return {"type": "object", "additionalProperties": values}
        if field.is_repeated:
            return {"type": "array", "items": self._one(field, element_rules(rules, "items") if rules else None)}
        return self._one(field, None)

    def _one(self, field: FieldDescriptor, rules: Any) -> Schema:
        extra = constraints(rules) if rules is not None else {}
        if field.message_type is not None:
            return self.of_message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return _SCALARS[field.type] | extra

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == "google.protobuf.NullValue":
            return {"type": "null"}
        schema: Schema = {"type": "string", "title": _title(enum), "enum": [value.name for value in enum.values]}
        values = ((value.name, self._contracts.comment(f"{enum.full_name}.{value.name}")) for value in enum.values)
        said = [self._contracts.comment(enum.full_name), *(f"- `{name}`: {text}" for name, text in values if text)]
        if text := "\n".join(filter(None, said)):
            schema["description"] = text
        self._found[enum.full_name] = schema
        return {"$ref": f"#/components/schemas/{enum.full_name}"}


def _title(declared: Descriptor | EnumDescriptor) -> str:
    """A message's or an enum's name, behind that of the message it is declared in: `Order.State`."""
    return declared.full_name.removeprefix(f"{declared.file.package}.")


def _class_name(schema: Schema) -> str:
    title: str = schema["title"]
    return title.replace(".", "").lower()
