"""Rules of buf.validate as JSON Schema says them. What it can't say (CEL, nanoseconds) stays in comments and answers.

https://buf.build/docs/protovalidate/schemas/standard-rules/, https://json-schema.org/draft/2020-12/json-schema-validation
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

__all__ = ["constraints", "element_rules", "needs_value"]

_NUMBERS = frozenset({"float", "double", "int32", "uint32", "sint32", "fixed32", "sfixed32"})
_LIMITS = {"gt": "exclusiveMinimum", "gte": "minimum", "lt": "exclusiveMaximum", "lte": "maximum"}
_LENGTHS = {"min_len": "minLength", "max_len": "maxLength"}
_FORMATS = {"email": "email", "hostname": "hostname", "ipv4": "ipv4", "ipv6": "ipv6", "uri": "uri", "uuid": "uuid"}
_NEVER_EMPTY = frozenset({*_FORMATS, "tuuid", "ulid", "address", "ip", "host_and_port"})  # formats that "" has not

_LEAST = {
    "string": ("min_len", "len", "min_bytes"),
    "bytes": ("min_len", "len"),
    "repeated": ("min_items",),
    "map": ("min_pairs",),
}


def constraints(rules: Any) -> dict[str, Any]:
    """What a field's rules add to its schema. 64-bit numbers are strings in JSON, and have no limits there."""
    kind = rules.WhichOneof("type")
    if kind is None or rules.ignore:  # an empty value would pass, which no keyword allows for
        return {}
    own = getattr(rules, kind)
    if kind in _NUMBERS:
        return _values(own, _LIMITS)
    if kind == "string":
        found = _values(own, _LENGTHS) | ({"pattern": own.pattern} if own.pattern else {})
        if own.HasField("len"):
            found |= {"minLength": own.len, "maxLength": own.len}
        format_ = own.WhichOneof("well_known")
        if format_ in _FORMATS and getattr(own, format_):
            found["format"] = _FORMATS[format_]
        return found | _values(own, {})
    if kind == "repeated":
        found = _values(own, {"min_items": "minItems", "max_items": "maxItems"})
        return found | ({"uniqueItems": True} if own.unique else {})
    if kind == "map":
        return _values(own, {"min_pairs": "minProperties", "max_pairs": "maxProperties"})
    return {}


def element_rules(rules: Any, part: str) -> Any:
    """The rules for what is in a list ("items") or a map ("values"); None if there are none."""
    kind = rules.WhichOneof("type")
    own = getattr(rules, kind) if kind in {"repeated", "map"} else None
    return getattr(own, part) if own is not None and own.HasField(part) else None


def needs_value(field: FieldDescriptor, rules: Any) -> bool:
    """Whether a message without the field breaks its rules: an absent field has its empty value, unless it has none."""
    kind = rules.WhichOneof("type")
    if rules.ignore or rules.required or field.has_presence or kind is None:
        return bool(rules.required and not rules.ignore)
    own = getattr(rules, kind)
    if kind == "string" and (named := own.WhichOneof("well_known")) in _NEVER_EMPTY:
        return bool(getattr(own, named))
    if kind in _LEAST:
        return any(getattr(own, name) for name in _LEAST[kind])
    if kind == "enum":
        return 0 in own.not_in
    lower = own.WhichOneof("greater_than") if "greater_than" in own.DESCRIPTOR.oneofs_by_name else None
    return (lower == "gt" and own.gt >= 0) or (lower == "gte" and own.gte > 0)


def _values(own: Any, names: dict[str, str]) -> dict[str, Any]:
    found = {keyword: getattr(own, name) for name, keyword in names.items() if own.HasField(name)}
    if own.DESCRIPTOR.fields_by_name.get("const") is not None and own.HasField("const"):
        found["const"] = own.const
    if own.DESCRIPTOR.fields_by_name.get("in") is not None and (allowed := list(getattr(own, "in"))):
        found["enum"] = allowed
    return found
