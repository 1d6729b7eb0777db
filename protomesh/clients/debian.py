"""protoc and the plugins that come as packages of a system: Debian's names are told, others have similar ones."""

from pathlib import Path

from protomesh.clients.tools import Tools

__all__ = ["plugin", "protoc"]


def protoc(tools: Tools) -> Path:
    """The system's protoc. The one of the Python stubs makes Python only."""
    return tools.find("protoc", "install protobuf-compiler, as Debian calls it")


def plugin(tools: Tools, program: str, package: str) -> Path:
    """A plugin of the system's."""
    return tools.find(program, f"install {package}, as Debian calls it")
