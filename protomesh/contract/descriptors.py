"""The descriptors that the mesh serves: those of the contracts, with the REST bindings that it really has."""

from collections.abc import Mapping

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

from protomesh.model import Method

__all__ = ["served_descriptors"]

_HttpRule = http_pb2.HttpRule


def served_descriptors(files: FileDescriptorSet, methods: Mapping[str, Method]) -> bytes:
    """Serializes the set without the bindings that are not enabled and those of methods without an edge.

    Whoever reads it (Envoy's transcoder, OpenAPI, reflection) then sees what answers, and nothing that Envoy refuses.
    """
    served = FileDescriptorSet()
    served.CopyFrom(files)
    for file in served.file:
        for service in file.service:
            prefix = f"{file.package}.{service.name}" if file.package else service.name
            for method in service.method:
                if (resolved := methods.get(f"{prefix}/{method.name}")) is not None:
                    _keep_enabled(method, resolved)
    return served.SerializeToString(deterministic=True)


def _keep_enabled(descriptor: MethodDescriptorProto, method: Method) -> None:
    if not descriptor.options.HasExtension(annotations_pb2.http):
        return
    rule = descriptor.options.Extensions[annotations_pb2.http]
    bindings = [_HttpRule.FromString(rule.SerializeToString()), *rule.additional_bindings]
    bindings[0].ClearField("additional_bindings")
    kept = [binding for binding, rest in zip(bindings, method.rest, strict=False) if rest.enabled]
    if len(kept) == len(bindings):
        return
    descriptor.options.ClearExtension(annotations_pb2.http)
    if kept:
        first, *others = kept
        written = descriptor.options.Extensions[annotations_pb2.http]
        written.CopyFrom(first)
        written.additional_bindings.extend(others)
