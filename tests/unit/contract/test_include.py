import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from protomesh.contract import include
from protomesh.contract.include import materialize, validate_proto


def test_everything_that_contracts_import_is_there(tmp_path: Path) -> None:
    """From the installed packages, whatever their versions."""
    folder = materialize(tmp_path)
    assert folder == tmp_path / ".protomesh/include"
    for name in (
        "google/protobuf/timestamp.proto",
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/rpc/error_details.proto",
        "google/type/money.proto",
        "buf/validate/validate.proto",
        "protomesh/v1/options.proto",
        "protomesh/admin/v1/admin_service.proto",
    ):
        assert (folder / name).is_file(), name


def test_the_projects_own_files_win(tmp_path: Path) -> None:
    """Protoc and buf must see one file of each name."""
    own = tmp_path / "protos/protomesh/v1/options.proto"
    own.parent.mkdir(parents=True)
    own.write_text('syntax = "proto3";\n')
    folder = materialize(tmp_path)
    assert not (folder / "protomesh/v1/options.proto").exists()
    own.unlink()
    assert (materialize(tmp_path) / "protomesh/v1/options.proto").is_file()


def test_nothing_is_written_when_it_is_fresh(tmp_path: Path) -> None:
    """It is called by every command."""
    folder = materialize(tmp_path)
    before = folder.stat().st_ino
    materialize(tmp_path)
    assert folder.stat().st_ino == before


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    """The key is written last: a folder without it is not whole."""
    folder = materialize(tmp_path)
    (folder / ".key").unlink()
    (folder / "google/protobuf/any.proto").unlink()
    (folder.parent / "include-killed/google").mkdir(parents=True)
    assert (materialize(tmp_path) / "google/protobuf/any.proto").is_file()
    assert left_in(tmp_path) == {"include", "include.lock"}


def test_many_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    """Two commands may start in a new checkout together."""
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(materialize, [tmp_path] * 8))
    assert set(folders) == {tmp_path / ".protomesh/include"}
    assert (folders[0] / ".key").read_text() == include._key(tmp_path / "protos")
    assert left_in(tmp_path) == {"include", "include.lock"}


def test_the_printed_validate_proto_is_the_installed_one(tmp_path: Path) -> None:
    """Protoc makes of it the descriptor that protovalidate carries, option for option."""
    folder = materialize(tmp_path)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--descriptor_set_out={tmp_path / 'out'}"]
    subprocess.run([*command, "buf/validate/validate.proto"], check=True)
    (compiled,) = FileDescriptorSet.FromString((tmp_path / "out").read_bytes()).file
    installed = FileDescriptorProto.FromString(validate_proto())
    assert compiled.SerializeToString(deterministic=True) == installed.SerializeToString(deterministic=True)


def test_buf_takes_the_folder_as_a_module(tmp_path: Path) -> None:
    """It is the second module of every project's buf.yaml."""
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "build", materialize(tmp_path), "-o", os.devnull], check=True)


@pytest.mark.parametrize("folder", ["google", "buf", "protomesh"])
def test_a_new_file_of_the_projects_own_is_noticed(tmp_path: Path, folder: str) -> None:
    """Adding protos/google/x.proto changes what belongs into the folder."""
    before = include._key(tmp_path / "protos")
    file = tmp_path / "protos" / folder / "x.proto"
    file.parent.mkdir(parents=True)
    file.write_text('syntax = "proto3";\n')
    assert include._key(tmp_path / "protos") != before


def left_in(root: Path) -> set[str]:
    """Names in .protomesh."""
    return {path.name for path in (root / ".protomesh").iterdir()}
