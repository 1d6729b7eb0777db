"""What `httprule` says of a template is what the real Envoy does with it."""

import base64
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import any_pb2, descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.json_format import MessageToJson, ParseDict
from google.protobuf.struct_pb2 import Struct

from protomesh.contract.httprule import parse_template, refusal
from protomesh.proxy import find

LEGAL = [
    "/", "/*", "/**", "/v1/a", "/v1/*", "/v1/**", "/v1/**/b", "/v1/**:get", "/v1/*:get", "/v1/a:b", "/v1/a:b-c",
    "/v1/a:b.c", "/v1/{name}", "/v1/{name=*}", "/v1/{name=**}", "/v1/{name=a/**}", "/v1/{name=**}/b",
    "/v1/{name=**/b}", "/v1/{name}:get", "/v1/{name=**}:get", "/v1/{name=a/*}:get", "/v1/{name=a/*/b/**}/c",
    "/v1/{name=a/**/b}:c", "/v1/{inner.name}", "/v1/{name}/{inner.name}", "/v1/a%20b", "/v1/a~b", "/v1/a@b", "/v1/a.b",
    "/v1/a*", "/v1/é",
]  # fmt: skip
REFUSED = [
    "/v1/**/*", "/v1/**/**", "/v1/**/b/*", "/v1/{name=**/*}", "/v1/{name=**}/{inner.name}",
    "/v1/{name=**}/{inner.name=**}", "/v1/a:b:c", "/v1/a:b/c", "/v1/{name}:b:c", "/v1/{name=a:b}", "/v1/{name=:x}",
]  # fmt: skip
MALFORMED = [
    "", "v1/a", "//a", "/v1//a", "/v1/a/", "/v1/:get", "/v1/a:", "/v1/{name}:", "/v1/{}", "/v1/{name", "/v1/name}",
    "/v1/{name=}", "/v1/{name={inner}}", "/v1/{name}-x", "/v1/x-{name}", "/v1/{name}{inner}", "/v1/***", "/v1/{name.}",
    "/v1/{name}:get/c", "/v1/a:{name}",
]  # fmt: skip
TYPE = "type.googleapis.com/envoy.extensions.filters."


def test_envoy_takes_every_template_that_is_not_refused() -> None:
    """All of them in one configuration, so that the test is one start of Envoy."""
    assert [text for text in LEGAL if refusal(parse_template(text)) is not None] == []
    assert validate([http_pb2.HttpRule(get=text) for text in LEGAL]) == ""


@pytest.mark.parametrize("text", REFUSED)
def test_envoy_refuses_a_configuration_for_one_template(text: str) -> None:
    """Legal by google/api/http.proto, and the whole configuration is refused for it: that binding must be left out."""
    assert refusal(parse_template(text)) is not None
    assert "Cannot register" in validate([http_pb2.HttpRule(get="/v1/good"), http_pb2.HttpRule(get=text)])


@pytest.mark.parametrize("text", MALFORMED)
def test_envoy_agrees_on_what_breaks_the_grammar(text: str) -> None:
    """Envoy refuses it too: letting it through would take the edge down with it."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_template(text)
    assert "Cannot register" in validate([http_pb2.HttpRule(get=text)])


@pytest.mark.parametrize(("field", "taken"), [("body", True), ("name", False), ("inner", False), ("", True)])
def test_envoy_takes_a_response_body_of_type_httpbody_only(field: str, taken: bool) -> None:  # noqa: FBT001 - a column of the table
    """The other ones are legal, and refused with the whole configuration."""
    assert (validate([http_pb2.HttpRule(get="/v1/a", response_body=field)]) == "") is taken


def validate(rules: Sequence[http_pb2.HttpRule]) -> str:
    """Gives Envoy a transcoder with one method for each rule; returns its complaint, "" if it has none."""
    transcoder = {
        "@type": f"{TYPE}http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode(descriptors(rules)).decode(),
        "services": ["t.Service"],
    }
    manager = {
        "@type": f"{TYPE}network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"name": "edge"},
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoder},
            {"name": "router", "typed_config": {"@type": f"{TYPE}http.router.v3.Router"}},
        ],
    }
    listener = {
        "name": "edge",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    configuration: dict[str, Any] = {"static_resources": {"listeners": [listener]}}
    text = MessageToJson(ParseDict(configuration, Struct()))
    command = [str(find().path), "--mode", "validate", "--config-yaml", text, "-l", "critical"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout


def descriptors(rules: Sequence[http_pb2.HttpRule]) -> bytes:
    """A contract with one method for each rule."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, any_pb2, http_pb2, httpbody_pb2, annotations_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    imports = ["google/api/annotations.proto", "google/api/httpbody.proto"]
    file = files.file.add(name="t.proto", package="t", syntax="proto3", dependency=imports)
    message = file.message_type.add(name="Message")
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    message.field.add(name="name", number=1, type=FieldDescriptorProto.TYPE_STRING, label=optional)
    for number, (name, of) in enumerate({"inner": ".t.Message", "body": ".google.api.HttpBody"}.items(), 2):
        kind = FieldDescriptorProto.TYPE_MESSAGE
        message.field.add(name=name, number=number, type=kind, label=optional, type_name=of)
    service = file.service.add(name="Service")
    for index, rule in enumerate(rules):
        method = service.method.add(name=f"Method{index}", input_type=".t.Message", output_type=".t.Message")
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return files.SerializeToString()
