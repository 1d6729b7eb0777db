import json

import pytest

from tests.e2e.mesh import Mesh


def test_every_kind_of_method_can_be_called(running: Mesh) -> None:
    """Requests and answers of streams are one JSON value after another."""
    texts = '{"text": "a"}\n{"text":\n"b"} {"text": "c"}\n'

    assert running.call("echo.v1.EchoService/Say", {"text": "hi"})["text"] == "hi"
    repeated = running.protomesh("call", "Repeat", '{"text": "z", "times": 3}', check=True).stdout
    assert [json.loads(line) for line in repeated.splitlines()] == [{"text": "z"}] * 3
    joined = running.protomesh("call", "Join", "-", stdin=texts, check=True).stdout
    assert json.loads(joined) == {"text": "a b c"}
    talked = running.protomesh("call", "Talk", "-", stdin=texts, check=True).stdout
    assert [json.loads(line)["text"] for line in talked.splitlines()] == ["a", "b", "c"]


def test_the_operator_reaches_internal_methods(running: Mesh) -> None:
    """They do not exist at the edge."""
    assert running.call("Whisper", {"text": "psst"})["text"] == "psst"


def test_a_call_as_a_service_has_its_permissions(running: Mesh) -> None:
    """`--as` goes through that service's egress: its name is the caller, and its `calls` are the limit."""
    assert running.call("Whisper", {"text": "psst"}, "--as", "front") == {"text": "psst", "caller": "front"}

    refused = running.protomesh("call", "Whisper", "{}", "--as", "clock")

    assert refused.returncode == 64 + 7  # PERMISSION_DENIED
    assert "clock may not call" in refused.stderr


def test_the_operator_calls_on_behalf_of_a_user(running: Mesh) -> None:
    """Without a token: the operator's socket is the operator's own."""
    heard = running.call("Whisper", {"text": "psst"}, "--user", "alice", "--scope", "b", "--scope", "a")
    assert heard == {"text": "psst", "caller": "operator", "user": "alice", "scopes": ["a", "b"]}


def test_a_deadline_ends_a_call(running: Mesh) -> None:
    """The exit code is 64 + the status code, as grpcurl has it."""
    done = running.protomesh("call", "Say", '{"text": "x", "delay_ms": 3000}', "--timeout", "0.3")

    assert done.returncode == 64 + 4
    assert done.stderr.startswith("DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Say", '{"text": 1'], "the request is not JSON"),
        (["Say", '{"txt": "x"}'], 'has no field named "txt"'),
        (["Say", "{} {}"], "takes exactly one request"),
        (["Sai"], "Say"),
        (["Say", "{}", "-H", "no-colon"], "is no header"),
        (["Say", "{}", "--scope", "a"], "add --user SUBJECT"),
        (["Say", "{}", "--as", "nobody"], "the mesh has no service"),
    ],
)
def test_wrong_input_is_explained(running: Mesh, arguments: list[str], said: str) -> None:
    """Exit code 2, and no traceback."""
    done = running.protomesh("call", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_in_any_language_is_one_of_the_mesh(running: Mesh) -> None:
    """`command:` starts any program, with what mesh.yaml adds to its environment."""
    answer = running.call("GetZone")

    assert answer["zone"] == "UTC"
    assert answer["pid"] == running.service("clock")["workers"][0]["pid"]


def test_one_service_calls_another(running: Mesh) -> None:
    """Through its own egress socket, which says who calls."""
    assert running.call("Ask", {"text": "x"}) == {"text": "x", "caller": "front"}


def test_status_tells_what_envoy_has_taken(running: Mesh) -> None:
    """Every resource is acknowledged, and the endpoints are those of the workers."""
    status = running.status()

    assert status["phase"] == "PHASE_SERVING"
    assert all(kind["acknowledged"] == kind["resources"] > 0 for kind in status["proxy"]["configuration"])
    echo = running.service("echo")
    assert sorted(echo["endpoints"]) == sorted(worker["address"] for worker in echo["workers"])
    assert (echo["edge_methods"], echo["internal_methods"]) == (4, 1)


def test_explain_says_which_line_set_a_value(running: Mesh) -> None:
    """And which routes of Envoy carry the method, and whether it has them."""
    explained = json.loads(running.protomesh("explain", "Say", "--json", check=True).stdout)

    policy = {row["name"]: row for row in explained["policy"]}
    assert policy["audience"]["value"] == "public"
    line = int(policy["audience"]["source"].split(":")[1])
    contract = (running.root / "protos" / "echo" / "v1" / "echo_service.proto").read_text().splitlines()
    assert "AUDIENCE_PUBLIC" in contract[line - 1]
    assert explained["envoy"]["state"] == "acknowledged by Envoy"
    assert {route["listener"] for route in explained["envoy"]["routes"]} == {"edge", "operator", "egress-front"}


def test_logs_are_json_lines_for_programs(running: Mesh) -> None:
    """One object a line, with the service that wrote it."""
    running.call("Say", {"text": "x"})

    lines = running.protomesh("logs", "echo", check=True).stdout.splitlines()

    assert lines
    assert {json.loads(line)["service"] for line in lines} == {"echo"}


def test_check_finds_nothing(running: Mesh) -> None:
    """The project is sound, its generated files are fresh, and Envoy accepts it."""
    done = running.protomesh("check", "--json", check=True)

    assert json.loads(done.stdout) == {"problems": [], "silenced": 0, "stale": [], "envoy": ""}


def test_stale_files_are_named(mesh: Mesh) -> None:
    """`proto --check` changes nothing and ends with 1; `proto` mends it."""
    contract = mesh.root / "protos" / "echo" / "v1" / "echo_service.proto"
    contract.write_text(contract.read_text().replace("rpc Say(", "rpc Tell(").replace("/v1/echo/", "/v2/echo/"))

    stale = mesh.protomesh("proto", "--check")

    assert stale.returncode == 1
    assert "generated/python/echo/v1/echo_service_pb2.py" in stale.stderr
    assert "generated/envoy/routes.yaml" in stale.stderr
    mesh.protomesh("proto", check=True)
    assert mesh.protomesh("proto", "--check").returncode == 0
