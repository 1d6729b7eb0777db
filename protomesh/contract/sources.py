"""Contracts as protoc reads them: every .proto below `protos/`, with its imports, comments and source locations."""

import hashlib
import re
import secrets
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from google.api import annotations_pb2, field_behavior_pb2

# Imported for their options: a descriptor set keeps an option that it does not know as bytes.
from google.api import annotations_pb2 as _http  # noqa: F401
from google.api import field_behavior_pb2 as _field_behavior  # noqa: F401
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from protomesh.contract.include import materialize
from protomesh.contract.report import Rule
from protomesh.diagnostics import InvalidProject, Problems
from protomesh.model import Origin
from protomesh.v1 import options_pb2

__all__ = ["RULES", "compile_protos", "proto_files"]

NO_CONTRACTS = Rule(id="NO_CONTRACTS", means="There is no .proto file below protos/.")
PROTO_SYNTAX = Rule(id="PROTO_SYNTAX", means="protoc does not accept a contract.")
RULES = (NO_CONTRACTS, PROTO_SYNTAX)

# A REST caller gets the details of an error as JSON only if the transcoder knows their types.
_ALWAYS = ("google/rpc/error_details.proto", "google/rpc/status.proto")
_PLACED = re.compile(r"(?P<file>[^:\s][^:]*\.proto):(?:(?P<line>\d+):(?P<column>\d+):)? (?P<text>.+)")
# Imported, so that their options are read as such: a descriptor set keeps an unknown option as bytes.
_OPTIONS = (annotations_pb2, field_behavior_pb2, options_pb2)
_CACHED = "contracts-*.binpb"


def proto_files(root: Path) -> list[str]:
    """Names of the project's own contracts as imports spell them, sorted. Empty if there is no `protos/`."""
    protos = root / "protos"
    return sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))


def compile_protos(root: Path) -> FileDescriptorSet:
    """Compiles the contracts of the project at `root`.

    Each file follows those it imports. google/rpc/status.proto and error_details.proto are always among them. The
    result is kept in `.protomesh/cache` under the hash of everything read, so a second call costs a few milliseconds.

    Raises:
        InvalidProject: there is no contract, or protoc refused one; every message of protoc's is a diagnostic.
    """
    files = proto_files(root)
    if not files:
        problems = Problems()
        hint = "Put contracts in protos/, one folder for each package: protos/shop/catalog/v1/catalog_service.proto."
        problems.error(Origin(file="protos"), NO_CONTRACTS.id, "there is no .proto file below protos/", hint)
        problems.raise_if_any()
    include = materialize(root)
    cached = root / ".protomesh" / "cache" / f"contracts-{_digest(root, files, include)}.binpb"
    try:
        known = FileDescriptorSet.FromString(cached.read_bytes())
    except (FileNotFoundError, DecodeError):
        known = FileDescriptorSet()
    if {file.name for file in known.file}.issuperset(files):  # a file cut short by a power failure may still decode
        return known
    return FileDescriptorSet.FromString(_compile(root, files, include, cached))


def _compile(root: Path, files: list[str], include: Path, cached: Path) -> bytes:
    cached.parent.mkdir(parents=True, exist_ok=True)
    output = cached.with_name(f"{cached.name}.{secrets.token_hex(4)}")
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are our own
            [
                sys.executable,
                "-m",
                "grpc_tools.protoc",
                f"--proto_path={root / 'protos'}",
                f"--proto_path={include}",
                f"--descriptor_set_out={output}",
                "--include_imports",
                "--include_source_info",
                *dict.fromkeys((*_ALWAYS, *files)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise InvalidProject(_problems(root, done.stderr))
        compiled = output.read_bytes()
        for older in cached.parent.glob(_CACHED):
            older.unlink(missing_ok=True)
        output.replace(cached)
        return compiled
    finally:
        output.unlink(missing_ok=True)


def _problems(root: Path, stderr: str) -> Problems:
    """Turns protoc's messages into diagnostics. protoc names a file by its import or by its whole path."""
    problems = Problems()
    whole = f"{root / 'protos'}/"
    for line in stderr.splitlines():
        placed = _PLACED.fullmatch(line.strip())
        if not placed or placed["text"].startswith("warning: ") or placed["text"] == "File not found.":
            continue  # of a missing file the import that asks for it is told
        file = f"protos/{placed['file'].removeprefix(whole)}"
        origin = Origin(file=file, line=int(placed["line"] or 1), column=int(placed["column"] or 1))
        hint = "Correct the contract; this is protoc's own message."
        problems.error(origin, PROTO_SYNTAX.id, placed["text"].rstrip("."), hint)
    if not problems.errors:
        message = f"protoc failed: {stderr.strip()}"
        problems.error(Origin(file="protos"), PROTO_SYNTAX.id, message, "Correct the contracts.")
    return problems


def _digest(root: Path, files: list[str], include: Path) -> str:
    digest = hashlib.sha256(f"{metadata.version('grpcio-tools')}\n{(include / '.key').read_text()}\n".encode())
    for name in files:
        digest.update(f"{name}\0{hashlib.sha256((root / 'protos' / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]
