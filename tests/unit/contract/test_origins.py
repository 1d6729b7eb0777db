from pathlib import Path

from protomesh.contract.annotations import Contract, read_contract
from protomesh.contract.sources import compile_protos, proto_files

SOURCE = """\
syntax = "proto3";

package clock.v1;

import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service ClockService {
  option (protomesh.v1.service).timeout = "1s";
  rpc GetTime(GetTimeRequest) returns (GetTimeResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {
      get: "/v1/time"
      additional_bindings {get: "/v1/now"}
    };
    option (protomesh.v1.method) = {
      /* timeout: "8s" */ // timeout: "9s" was too long
      errors: "timeout: "
      timeout: "2s", audience: AUDIENCE_PUBLIC
      rate_limit {requests: 5, per: "1s"}
    };
  }
  rpc Tick(GetTimeRequest) returns (GetTimeResponse);
}

message GetTimeRequest {}
message GetTimeResponse {}
"""


def test_an_option_is_placed_at_its_own_line(tmp_path: Path) -> None:
    """Inside `= {...}` too, where protoc says nothing; neither comments nor strings lead astray."""
    (method, tick) = contract(tmp_path).services["clock.v1.ClockService"].methods
    assert {name: f"{origin.line}:{origin.column}" for name, origin in method.origins.items()} == {
        "safety": "11:5",
        "errors": "18:7",
        "timeout": "19:7",
        "audience": "19:22",
        "rate_limit": "20:7",
    }
    assert tick.origins == {}
    assert str(tick.origin) == "protos/clock/v1/clock.proto:23:3"


def test_an_option_set_by_its_path_is_placed_at_its_statement(tmp_path: Path) -> None:
    """`option (protomesh.v1.service).timeout = ...` is as good as braces."""
    service = contract(tmp_path).services["clock.v1.ClockService"]
    assert {name: str(origin) for name, origin in service.origins.items()} == {
        "timeout": "protos/clock/v1/clock.proto:9:3"
    }


def test_a_rest_binding_is_placed_at_its_path(tmp_path: Path) -> None:
    """Each of them, so that a message about one is not about the other."""
    method = contract(tmp_path).services["clock.v1.ClockService"].methods[0]
    assert [(p.template, f"{at.line}:{at.column}") for p, at in method.bindings] == [
        ("/v1/time", "13:12"),
        ("/v1/now", "14:33"),
    ]


def contract(root: Path) -> Contract:
    """Reads SOURCE as the only contract of a project."""
    file = root / "protos/clock/v1/clock.proto"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    return read_contract(root, compile_protos(root), proto_files(root))
