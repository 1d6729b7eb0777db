from dataclasses import replace

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.model import RestBinding
from protomesh.targets.envoy.transcoding import descriptor_set
from tests.integration.envoy.lab import METHODS, SERVICE, lab_topology, method, origin, rest
from tests.unit.targets.envoy.test_render import with_methods


def pool(content: bytes) -> DescriptorPool:
    """The descriptors, as Envoy loads them: each file behind what it imports, and nothing missing."""
    made = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        made.AddSerializedFile(file.SerializeToString())
        made.FindFileByName(file.name)
    return made


def test_it_holds_the_exposed_methods_with_rest_and_no_other() -> None:
    """INTERNAL methods and gRPC-only ones are not REST's business."""
    service = pool(descriptor_set(lab_topology())).FindServiceByName(SERVICE)
    with_rest = [item.name for item in METHODS if item.rest]
    assert [item.name for item in service.methods] == with_rest


@pytest.mark.parametrize(
    "name", ["google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest", "lab.v1.OutOfItems"]
)
def test_it_holds_what_an_error_may_carry(name: str) -> None:
    """Else Envoy answers an error without a body."""
    assert pool(descriptor_set(lab_topology())).FindMessageTypeByName(name).full_name == name


def test_it_holds_the_bindings_that_are_enabled() -> None:
    """The first is the rule, the others additional; of a custom verb the kind is its name."""
    bindings = (
        RestBinding(verb="GET", template="/v1/refused/**/x", enabled=False, origin=origin()),
        RestBinding(verb="PATCH", template="/v1/items/{id}", body="*", response_body="note", origin=origin()),
        RestBinding(verb="HEAD", template="/v1/items/{id}", origin=origin()),
    )
    content = descriptor_set(with_methods(method("GetItem", rest=bindings)))
    options = pool(content).FindMethodByName(f"{SERVICE}.GetItem").GetOptions()
    rule = annotations_pb2.google_dot_api_dot_http__pb2.HttpRule()
    known = descriptor_pb2.MethodOptions.FromString(options.SerializeToString())
    rule.CopyFrom(known.Extensions[annotations_pb2.http])
    assert (rule.patch, rule.body, rule.response_body) == ("/v1/items/{id}", "*", "note")
    (additional,) = rule.additional_bindings
    assert (additional.custom.kind, additional.custom.path) == ("HEAD", "/v1/items/{id}")


def test_comments_and_options_do_not_change_it() -> None:
    """Neither would change what Envoy does, so neither may reload its filter."""
    topology = lab_topology()
    files = descriptor_pb2.FileDescriptorSet.FromString(topology.descriptors)
    for file in files.file:
        if file.name == "lab.proto":
            file.source_code_info.location.add(path=[4, 0], span=[1, 2, 3], leading_comments="A comment.")
            file.message_type[0].options.MergeFromString(b"\xfa\x8c\x19\x03abc")  # an option nobody here knows
            file.service[0].method[0].options.idempotency_level = descriptor_pb2.MethodOptions.IDEMPOTENT
    changed = replace(topology, descriptors=files.SerializeToString())
    assert descriptor_set(changed) == descriptor_set(topology)


def test_what_features_and_enums_need_is_kept() -> None:
    """Aliases of an enum and the features of an edition decide how a message is read."""
    topology = lab_topology()
    files = descriptor_pb2.FileDescriptorSet.FromString(topology.descriptors)
    file = files.file[-1]
    enum = file.enum_type.add(name="Kind")
    enum.options.allow_alias = True
    for name in ("KIND_UNSPECIFIED", "KIND_NONE"):
        enum.value.add(name=name, number=0)
    file.message_type[0].field.add(
        name="kind",
        json_name="kind",
        number=9,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_ENUM,
        type_name=".lab.v1.Kind",
    )
    content = descriptor_set(replace(topology, descriptors=files.SerializeToString()))
    assert pool(content).FindEnumTypeByName("lab.v1.Kind").GetOptions().allow_alias


def test_a_mesh_without_rest_has_no_services() -> None:
    """The filter then does nothing; the listener keeps it."""
    content = descriptor_set(with_methods(method("GetItem", rest=())))
    with pytest.raises(KeyError):
        pool(content).FindServiceByName(SERVICE)


def test_a_binding_that_envoy_refuses_leaves_the_others() -> None:
    """Only that binding is left out; the method is still there by gRPC."""
    refused = RestBinding(verb="GET", template="/v1/**/x", enabled=False, origin=origin())
    methods = (method("GetItem", rest=(refused,)), method("CreateItem", rest=rest("POST", "/v1/items", "*")))
    made = pool(descriptor_set(with_methods(*methods)))
    options = made.FindMethodByName(f"{SERVICE}.GetItem").GetOptions()
    assert options.SerializeToString() == b""
    assert made.FindMethodByName(f"{SERVICE}.CreateItem").GetOptions().SerializeToString()
