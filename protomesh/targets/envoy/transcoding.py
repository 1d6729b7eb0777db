"""The descriptors that Envoy translates REST with: what is exposed, and nothing else.

The only module of the targets that reads protobuf.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from protomesh.model import Method, RestBinding, Topology

__all__ = ["descriptor_set"]

_STANDARD_VERBS = {"GET", "PUT", "POST", "DELETE", "PATCH"}


def descriptor_set(topology: Topology) -> bytes:
    """A serialized FileDescriptorSet of the exposed methods with REST bindings.

    It holds the messages that these methods take, give and raise, and google.rpc.Status with its standard details:
    Envoy writes an error as JSON only if it knows each of its details. Comments, options and everything else are left
    out; bindings are those of the model, so one that Envoy would refuse is not in it.
    """
    exposed = {method.full_name: method for _, method in topology.exposed() if method.rest}
    files = descriptor_pb2.FileDescriptorSet.FromString(topology.descriptors).file
    types = dict(_types(files))
    packages = {name.rpartition("/")[0].rpartition(".")[0] for name in exposed}
    wanted = {
        *(name for method in exposed.values() for name in (method.request, method.response, *method.errors)),
        *(name for name in topology.errors if name.rpartition(".")[0] in packages),
        "google.rpc.Status",
        *(message.full_name for message in error_details_pb2.DESCRIPTOR.message_types_by_name.values()),
    }
    reached = _closure(wanted, types)
    result = descriptor_pb2.FileDescriptorSet()
    for file in files:
        pruned = _prune(file, reached, exposed)
        if pruned.message_type or pruned.enum_type or pruned.service:
            result.file.append(pruned)
    _set_dependencies(result)
    return result.SerializeToString(deterministic=True)


def _types(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Iterator[tuple[str, tuple[str, Message]]]:
    """Yields each message and enum by its full name, with the full name of the top-level type that holds it."""
    for file in files:
        prefix = f"{file.package}." if file.package else ""
        for enum in file.enum_type:
            yield prefix + enum.name, (prefix + enum.name, enum)
        for message in file.message_type:
            yield from _nested(prefix + message.name, prefix + message.name, message)


def _nested(name: str, top: str, message: descriptor_pb2.DescriptorProto) -> Iterator[tuple[str, tuple[str, Message]]]:
    yield name, (top, message)
    for enum in message.enum_type:
        yield f"{name}.{enum.name}", (top, enum)
    for inner in message.nested_type:
        yield from _nested(f"{name}.{inner.name}", top, inner)


def _references(message: descriptor_pb2.DescriptorProto) -> Iterator[str]:
    for field in message.field:
        if field.type_name:
            yield field.type_name.removeprefix(".")
    for inner in message.nested_type:
        yield from _references(inner)


def _closure(wanted: Iterable[str], types: dict[str, tuple[str, Message]]) -> set[str]:
    """The top-level types that the wanted ones are made of."""
    reached: set[str] = set()
    waiting = list(wanted)
    while waiting:
        found = types.get(waiting.pop())
        if found is None or found[0] in reached:
            continue
        top = found[0]
        reached.add(top)
        message = types[top][1]
        if isinstance(message, descriptor_pb2.DescriptorProto):
            waiting.extend(_references(message))
    return reached


def _prune(
    file: descriptor_pb2.FileDescriptorProto, reached: set[str], exposed: dict[str, Method]
) -> descriptor_pb2.FileDescriptorProto:
    prefix = f"{file.package}." if file.package else ""
    pruned = descriptor_pb2.FileDescriptorProto()
    pruned.CopyFrom(file)
    for name in ("source_code_info", "extension", "service", "message_type", "enum_type"):
        pruned.ClearField(name)
    pruned.message_type.extend(message for message in file.message_type if prefix + message.name in reached)
    pruned.enum_type.extend(enum for enum in file.enum_type if prefix + enum.name in reached)
    _drop_extensions(pruned)
    for service in file.service:
        methods = [
            (method, exposed[key])
            for method in service.method
            if (key := f"{prefix}{service.name}/{method.name}") in exposed
        ]
        if methods:
            kept = pruned.service.add(name=service.name)
            for descriptor, method in methods:
                kept.method.append(_method(descriptor, method))
    return pruned


def _method(descriptor: descriptor_pb2.MethodDescriptorProto, method: Method) -> descriptor_pb2.MethodDescriptorProto:
    """The method with nothing but its enabled bindings; the first is the rule, the others are additional."""
    kept = descriptor_pb2.MethodDescriptorProto()
    kept.CopyFrom(descriptor)
    kept.ClearField("options")
    rules = [_rule(binding) for binding in method.rest if binding.enabled]
    if rules:
        rules[0].additional_bindings.extend(rules[1:])
        kept.options.Extensions[annotations_pb2.http].CopyFrom(rules[0])
    return kept


def _rule(binding: RestBinding) -> http_pb2.HttpRule:
    rule = http_pb2.HttpRule(body=binding.body, response_body=binding.response_body)
    if binding.verb in _STANDARD_VERBS:
        setattr(rule, binding.verb.lower(), binding.template)
    else:
        rule.custom.CopyFrom(http_pb2.CustomHttpPattern(kind=binding.verb, path=binding.template))
    return rule


def _drop_extensions(message: Message) -> None:
    """Removes custom options: Envoy needs none, and whether this process knows them must not matter."""
    fields: list[tuple[Any, Any]] = list(message.ListFields())
    for field, value in fields:
        if field.is_extension:
            message.ClearExtension(field)
        elif field.message_type is not None:
            for child in value if field.is_repeated else [value]:
                _drop_extensions(child)
            if field.name == "options":
                value.DiscardUnknownFields()
                if not value.ListFields():
                    message.ClearField("options")


def _set_dependencies(files: descriptor_pb2.FileDescriptorSet) -> None:
    """Makes each file import what it still refers to, and no more."""
    homes = {name: file.name for file in files.file for name, _ in _types([file])}
    for file in files.file:
        references = {
            *(name for message in file.message_type for name in _references(message)),
            *(
                name.removeprefix(".")
                for service in file.service
                for method in service.method
                for name in (method.input_type, method.output_type)
            ),
        }
        needed = {homes[name] for name in references if name in homes} - {file.name}
        for name in ("dependency", "public_dependency", "weak_dependency", "option_dependency"):
            file.ClearField(name)
        file.dependency.extend(sorted(needed))
