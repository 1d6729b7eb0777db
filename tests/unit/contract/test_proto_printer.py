import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from protomesh.contract.proto_printer import print_file

PROTO2 = """
syntax = "proto2";
package p;
import public "google/protobuf/descriptor.proto";
option java_package = "a\\"b\\\\c";
extend google.protobuf.FieldOptions { optional Note note = 50000; repeated string tags = 50001; }
extend google.protobuf.MessageOptions { optional Level level = 50000; }
message Note { optional string text = 1; repeated int32 numbers = 2 [packed = true]; }
enum Level {
  option allow_alias = true;
  reserved 5, 7 to 9, 20 to max;
  reserved "OLD";
  LOW = 0;
  BOTTOM = 0;
  HIGH = -1 [deprecated = true];
}
message M {
  option (level) = HIGH;
  option deprecated = true;
  extensions 100 to 199, 1000 to max;
  reserved 2, 15, 9 to 11;
  reserved "foo", "bar";
  required string s = 1 [
    default = "a\\n\\"b\\" \\303\\251",
    (note) = {text: "x\\ny", numbers: [1, 2]}, (tags) = "a", (tags) = "b"
  ];
  optional bytes b = 3 [default = "\\000\\377"];
  optional double d = 4 [default = inf];
  optional float f = 5 [default = -1.5];
  optional bool yes = 6 [default = true];
  optional Level e = 7 [default = HIGH];
  map<string, M> map = 8;
  oneof choice { string left = 20; M right = 21; }
  optional string named = 22 [json_name = "NAMED"];
  optional string snake_case_1 = 23;
  message Inner { enum Deep { ZERO = 0; } optional Deep deep = 1; extend M { optional Inner inner = 100; } }
}
extend M { repeated M more = 1000; }
"""
PROTO3 = """
syntax = "proto3";
package p;
message M {
  string s = 1;
  optional string o = 2;
  repeated int32 r = 3 [packed = false];
  map<int64, Inner> map = 4;
  oneof choice { string left = 5; Inner right = 6; }
  optional int32 last = 7;
  message Inner { M m = 1; }
}
"""
EDITION = """
edition = "2023";
package p;
option features.field_presence = IMPLICIT;
message M {
  reserved foo;
  string s = 1;
  string explicit = 2 [features.field_presence = EXPLICIT, default = "x"];
  M child = 3 [features.message_encoding = DELIMITED];
  repeated int32 r = 4 [features.repeated_field_encoding = EXPANDED];
}
enum E { option features.enum_type = CLOSED; reserved OLD; ONE = 1; }
"""


@pytest.mark.parametrize("source", [PROTO2, PROTO3, EDITION], ids=["proto2", "proto3", "edition"])
def test_what_is_printed_compiles_to_the_same_descriptor(source: str, tmp_path: Path) -> None:
    """Custom options, defaults, reserved names and features included."""
    original = compiled(source, tmp_path)
    printed = print_file(original)
    assert compiled(printed, tmp_path) == original
    assert print_file(original, [descriptor_pb2.DESCRIPTOR.serialized_pb]) == printed


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ('syntax = "proto2"; message M { optional group G = 1 {} }', "group"),
        ('syntax = "proto3"; message M {} service S { rpc R(M) returns (M); }', "service"),
    ],
)
def test_what_is_not_printed_is_refused(source: str, what: str, tmp_path: Path) -> None:
    """Better than source that means something else."""
    with pytest.raises(ValueError, match=what):
        print_file(compiled(source, tmp_path))


def compiled(source: str, folder: Path) -> FileDescriptorProto:
    """What protoc makes of a source."""
    (folder / "p.proto").write_text(source)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--descriptor_set_out={folder / 'out'}"]
    subprocess.run([*command, "p.proto"], check=True)
    (file,) = FileDescriptorSet.FromString((folder / "out").read_bytes()).file
    return file
