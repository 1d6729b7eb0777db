"""The .proto files that contracts import and nobody writes: google/*, buf/validate, protomesh/*.

They come from what is installed, into the git-ignored `.protomesh/include`, where protoc, buf and editors find them.
Nothing third-party is copied into a repository, and the files are always those of the installed versions.
"""

import fcntl
import hashlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from protovalidate._gen.buf.validate import validate_pb

import protomesh
from protomesh.contract.proto_printer import print_file

__all__ = ["include_directory", "materialize", "validate_proto"]

_FORMAT = "2"  # changes when this module writes other files from the same versions
_KEY_FILE = ".key"
_GOOGLE_FOLDERS = ("google/api", "google/longrunning", "google/rpc", "google/type")
_DISTRIBUTIONS = ("grpcio-tools", "googleapis-common-protos", "protovalidate")
VALIDATE = "buf/validate/validate.proto"


def include_directory(root: Path) -> Path:
    """Where `materialize` puts the files of the project at `root`."""
    return root / ".protomesh" / "include"


def materialize(root: Path) -> Path:
    """Fills `.protomesh/include` and returns it. Does nothing when what is there fits the installed versions.

    A file that the project has below its own `protos/` is left out: there must be one of each name. The folder is
    replaced as a whole, so that a reader never sees half of it; processes that do so at once take turns.
    """
    include = include_directory(root)
    own = root / "protos"
    key = _key(own)
    if _read(include / _KEY_FILE) == key:
        return include
    include.parent.mkdir(parents=True, exist_ok=True)
    with _locked(include.with_name("include.lock")):
        if _read(include / _KEY_FILE) != key:  # another process may have been faster
            _replace(include, own, key)
    return include


def validate_proto() -> bytes:
    """The serialized descriptor of buf/validate/validate.proto that the installed protovalidate carries."""
    return validate_pb.desc().proto.to_binary()


def _replace(include: Path, own: Path, key: str) -> None:
    """Fills a folder beside `include` and puts it in its place. Whoever calls holds the lock."""
    for left in include.parent.glob("include-*"):  # by a process that was killed
        shutil.rmtree(left)
    fresh = Path(tempfile.mkdtemp(prefix="include-", dir=include.parent))
    for name, source in _sources().items():
        if not (own / name).exists():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes() if isinstance(source, Path) else source)
    fresh.chmod(0o755)
    (fresh / _KEY_FILE).write_text(key)
    if include.exists():
        include.rename(include.with_name("include-old"))
    fresh.rename(include)
    shutil.rmtree(include.with_name("include-old"), ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that ends with the process, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(own: Path) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for distribution in _DISTRIBUTIONS:
        digest.update(f"{distribution}={metadata.version(distribution)}\n".encode())
    for name, path in sorted(_library().items()):
        digest.update(f"{name}={hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for folder in ("google", "buf", "protomesh"):
        if (own / folder).exists():
            digest.update(
                "\n".join(sorted(p.relative_to(own).as_posix() for p in (own / folder).rglob("*.proto"))).encode()
            )
    return digest.hexdigest()


def _sources() -> Mapping[str, Path | bytes]:
    return {**dict(_google()), VALIDATE: _print_validate(), **_library()}


def _google() -> Iterator[tuple[str, Path]]:
    tools = importlib.util.find_spec("grpc_tools")
    assert tools is not None, "grpcio-tools is a dependency"
    assert tools.submodule_search_locations, "it is a package"
    well_known = Path(tools.submodule_search_locations[0]) / "_proto"
    for path in (well_known / "google/protobuf").rglob("*.proto"):
        yield path.relative_to(well_known).as_posix(), path
    common = metadata.distribution("googleapis-common-protos")
    for file in common.files or ():
        if file.suffix == ".proto" and file.as_posix().startswith(_GOOGLE_FOLDERS):
            yield file.as_posix(), Path(str(common.locate_file(file)))


def _library() -> dict[str, Path]:
    """The library's own contracts: inside the package in a wheel, beside it in a checkout."""
    package = Path(protomesh.__file__).parent
    base = package / "protos" if (package / "protos").is_dir() else package.parent / "protos"
    return {path.relative_to(base).as_posix(): path for path in (base / "protomesh").rglob("*.proto")}


def _print_validate() -> bytes:
    file = descriptor_pb2.FileDescriptorProto.FromString(validate_proto())
    modules = (duration_pb2, field_mask_pb2, timestamp_pb2)
    dependencies = [module.DESCRIPTOR.serialized_pb for module in modules]
    written = print_file(file, dependencies).encode()
    note = f"// Printed from the descriptor in protovalidate {metadata.version('protovalidate')}.\n"
    return note.encode() + written


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
