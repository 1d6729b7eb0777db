"""protoc and the plugins that come as packages of a system: Debian's names are told, others have similar ones."""

from pathlib import Path

from protomesh.clients.language import Job
from protomesh.clients.tools import Tools

__all__ = ["check_system", "plugin", "protoc", "run_protoc"]

Plugin = tuple[str, str]
"""A plugin's program, and the package that has it."""


def protoc(tools: Tools) -> Path:
    """The system's protoc. The one of the Python stubs makes Python only."""
    return tools.find("protoc", "install protobuf-compiler, as Debian calls it")


def plugin(tools: Tools, wanted: Plugin) -> Path:
    """A plugin of the system's."""
    program, package = wanted
    return tools.find(program, f"install {package}, as Debian calls it")


def check_system(tools: Tools, wanted: Plugin) -> None:
    """Looks for both, as `Language.check` does."""
    protoc(tools)
    plugin(tools, wanted)


def run_protoc(
    job: Job, language: str, wanted: Plugin, folder: Path, *more: str | Path, descriptors: Path | None = None
) -> None:
    """Writes messages and stubs into one folder; `language` is protoc's own name of it, `more` are its arguments."""
    job.protoc(
        [
            f"--plugin=protoc-gen-grpc={plugin(job.tools, wanted)}",
            f"--{language}_out={folder}",
            f"--grpc_out={folder}",
            *more,
        ],
        google=False,
        program=[protoc(job.tools)],
        descriptors=descriptors,
    )
