"""Typed Python for the contracts of a project: stubs and package facades below `generated/python`."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from protomesh.contract.include import materialize
from protomesh.contract.protoc_plugin import write_protoc_plugin
from protomesh.contract.sources import compile_protos, proto_files
from protomesh.diagnostics import InvalidProject, Problems
from protomesh.file_tree import replace_tree
from protomesh.model import Origin

__all__ = ["generate_python", "python_directory"]

# Their Python comes with what is installed: googleapis-common-protos, protovalidate, this library.
_INSTALLED = ("buf/", "google/", "protomesh/")
_PLUGINS = {
    "mypy": "mypy_protobuf.main:main",
    "mypy_grpc": "mypy_protobuf.main:grpc",
    "protomesh": "protomesh.contract.python_plugin:main",
}
_INIT = '"""Generated from the contracts. DO NOT EDIT."""\n'


def python_directory(root: Path) -> Path:
    """Where `generate_python` writes: an import root."""
    return root / "generated" / "python"


def generate_python(root: Path, *, write: bool = True) -> list[Path]:
    """Makes the Python of every contract below `protos/` and returns the files that changed, sorted.

    Without `write` nothing is changed: the files are those that would be.

    Everything is made in a temporary folder first: a contract with an error changes nothing. A file that is as it
    should be is not written again, so its modification time stays; one that no contract makes is removed.

    Raises:
        InvalidProject: protoc refused a contract.
    """
    compile_protos(root)  # finds what is wrong, each at its line
    with tempfile.TemporaryDirectory(prefix="protomesh-") as temporary:
        fresh = Path(temporary) / "python"
        fresh.mkdir()
        sources = [name for name in proto_files(root) if not name.startswith(_INSTALLED)]
        if sources:
            _protoc(root, sources, fresh, _executables(Path(temporary)))
            _complete(fresh)
        return replace_tree(fresh, python_directory(root), write=write)


def _executables(folder: Path) -> Mapping[str, Path]:
    """Starts each plugin with this very interpreter: protoc wants programs, and PATH may have another one's."""
    programs: dict[str, Path] = {}
    for name, entry in _PLUGINS.items():
        module, _, function = entry.partition(":")
        code = f"from {module} import {function}; {function}()"
        programs[name] = write_protoc_plugin(folder / f"protoc-gen-{name}", [sys.executable, "-c", code])
    return programs


def _protoc(root: Path, sources: list[str], out: Path, plugins: Mapping[str, Path]) -> None:
    done = subprocess.run(  # noqa: S603 - the arguments are our own
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={root / 'protos'}",
            f"--proto_path={materialize(root)}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            *(f"--plugin=protoc-gen-{name}={program}" for name, program in plugins.items()),
            f"--mypy_out=quiet:{out}",
            f"--mypy_grpc_out=quiet,only_async:{out}",
            f"--protomesh_out={out}",
            *sources,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        problems = Problems()
        message = f"protoc could not generate Python: {done.stderr.strip()}"
        problems.error(Origin(file="protos"), "GENERATE_FAILED", message, "Correct the contracts, or report this.")
        raise InvalidProject(problems)


def _complete(out: Path) -> None:
    """Makes every folder a regular package, and drops the modules that grpc writes for files without a service.

    A regular package wins over a folder of the same name on the path, a namespace package would be mixed with it.
    """
    for module in out.rglob("*_pb2_grpc.py"):
        if "\nclass " not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for folder in [path for path in out.rglob("*") if path.is_dir()]:
        for name, content in (("__init__.py", _INIT), ("py.typed", "")):
            if not (folder / name).exists():
                (folder / name).write_text(content)
