import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protomesh.cli.examples import command, examples, for_operator
from protomesh.contract import compile_project
from protomesh.model import TcpAddress, Tls, Topology

HEAD = """\
syntax = "proto3";

package shop.v1;

import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

// Sells.
service ShopService {
  option (protomesh.v1.service) = {timeout: "1s"};
"""
TAIL = """
}

message Query {
  string text = 1;
  int32 page = 2;
  Shelf shelf = 3;
}

message Shelf {
  string room_name = 1;
  int64 number = 2;
}

message Answer {
  string text = 1;
}
"""
OPTIONS = "option idempotency_level = NO_SIDE_EFFECTS; option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC};"

Compile = Callable[[str], Topology]


def rpc(name: str, rest: str = "", options: str = OPTIONS, answer: str = "Answer") -> str:
    """A method of the contract."""
    binding = f"option (google.api.http) = {{{rest}}};" if rest else ""
    return f"\n  // Answers.\n  rpc {name}(Query) returns ({answer}) {{ {options} {binding} }}"


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """Compiles a shop with the given methods. The command is on PATH."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    def compile_it(methods: str) -> Topology:
        folder = tmp_path / "protos/shop/v1"
        folder.mkdir(parents=True)
        (folder / "shop.proto").write_text(HEAD + methods + TAIL)
        (tmp_path / "mesh.yaml").write_text(
            "name: shop\n"
            'gateways: [{listen: "127.0.0.1:8080"}]\n'
            'services: {shop: {run: "services.shop.app:app", serves: [shop.v1.ShopService]}}\n'
            "contracts: {shop.v1: {lint: off}}\n"
        )
        return compile_project(tmp_path, variables={}).topology

    return compile_it


def shown(topology: Topology, **changes: Any) -> list[str]:
    """The calls to try, at a gateway that is changed so."""
    return list(examples(topology, replace(topology.gateways[0], **changes), ".protomesh/tls/ca.pem"))


def test_the_method_that_needs_least_is_shown(compiled: Compile) -> None:
    """One without a field in its path comes before the others, wherever it stands in the contract."""
    topology = compiled(
        rpc("Search") + rpc("Get", 'get: "/v1/things/{text}"') + rpc("List", 'get: "/v1/things"') + rpc("ListMore")
    )

    assert shown(topology) == [
        "protomesh call shop.v1.ShopService/List",
        "grpcurl -plaintext 127.0.0.1:8080 shop.v1.ShopService/List",
        "curl http://127.0.0.1:8080/v1/things",
    ]


def test_the_fields_of_a_path_are_filled_in(compiled: Compile) -> None:
    """A text is its own name, a number is 1; nested ones and patterns likewise. All three calls ask for the same."""
    topology = compiled(rpc("Get", 'get: "/v1/{shelf.room_name=rooms/*}/shelves/{shelf.number}/{page}"'))

    call, grpcurl, curl = shown(topology)

    request = """{"shelf": {"room_name": "room_name", "number": 1}, "page": 1}"""
    assert shlex.split(call) == ["protomesh", "call", "shop.v1.ShopService/Get", request]
    assert shlex.split(grpcurl)[1:5] == ["-plaintext", "-d", request, "127.0.0.1:8080"]
    assert shlex.split(curl)[1] == "http://127.0.0.1:8080/v1/room_name/shelves/1/1"


def test_a_gateway_with_a_development_certificate_is_called_by_name(compiled: Compile) -> None:
    """The callers have to trust its CA; one that listens everywhere is reached at localhost."""
    topology = compiled(rpc("List", 'get: "/v1/things"'))
    everywhere = TcpAddress("0.0.0.0", 8443)

    assert shown(topology, listen=everywhere, tls=Tls())[1:] == [
        "grpcurl -cacert .protomesh/tls/ca.pem localhost:8443 shop.v1.ShopService/List",
        "curl --cacert .protomesh/tls/ca.pem https://localhost:8443/v1/things",
    ]
    tls = Tls(certificate="edge.pem", key="edge.key")
    assert shown(topology, listen=everywhere, tls=tls, reflection=False)[1:] == [
        "curl https://127.0.0.1:8443/v1/things"
    ]


def test_without_rest_there_is_no_line_for_curl(compiled: Compile) -> None:
    """A GET only: what writes is nothing to try."""
    topology = compiled(rpc("Search") + rpc("Put", 'post: "/v1/things" body: "*"'))

    assert [shlex.split(call)[0] for call in shown(topology)] == ["protomesh", "grpcurl"]


@pytest.mark.parametrize(
    "method",
    [rpc("Hide", options=""), rpc("Watch", answer="stream Answer"), ""],
    ids=["internal", "streams", "none at all"],
)
def test_where_nothing_can_be_tried_nothing_is_shown(compiled: Compile, method: str) -> None:
    """INTERNAL methods do not exist at the edge, and a stream may never end."""
    assert shown(compiled(method)) == []


def test_the_operators_line_quotes_its_path() -> None:
    """It can be pasted."""
    line = for_operator("/tmp/a b/operator.sock")

    assert shlex.split(line)[-4:] == ["-authority", "mesh", "/tmp/a b/operator.sock", "list"]


def test_the_command_is_called_as_it_can_be_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name if PATH has it, else by its path from this directory, else by the whole path."""
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv/bin/protomesh"), "up"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert command() == ".venv/bin/protomesh"

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command() == str(tmp_path / ".venv/bin/protomesh")

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert command() == "protomesh"
