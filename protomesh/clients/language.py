"""What every language's generator is given, and is."""

import string
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from protomesh.clients.table import Row
from protomesh.clients.tools import Tools

__all__ = ["Job", "Language"]

_WELL_KNOWN = "google/protobuf/"  # every protobuf library has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One client to make."""

    mesh: str  # the mesh's name
    contracts: FileDescriptorSet  # see contract.client_contracts
    descriptors: Path  # the same, serialized, for protoc's --descriptor_set_in
    table: Sequence[Row]
    tools: Tools
    out: Path  # an empty folder
    internal: bool = False  # for services of the mesh: with INTERNAL methods

    @property
    def module(self) -> str:
        """A name for what stands beside the stubs, where names are written so: ShopClient."""
        return "".join(word.capitalize() for word in self.mesh.replace("-", "_").split("_")) + "Client"

    def files(self, *, google: bool) -> list[FileDescriptorProto]:
        """The contracts to generate code for: the project's, and with `google` the types of google.rpc and google.type.

        That is for languages whose libraries do not bring those.
        """
        names = (_WELL_KNOWN,) if google else ("google/",)
        return [file for file in self.contracts.file if not file.name.startswith(names)]

    def protoc(
        self,
        arguments: Sequence[str | Path],
        *,
        google: bool,
        program: Sequence[str | Path] = (),
        descriptors: Path | None = None,
    ) -> None:
        """Runs protoc on `files`: the one that belongs to the Python of the stubs, or `program`."""
        self.tools.run(
            [
                *(program or (sys.executable, "-m", "grpc_tools.protoc")),
                f"--descriptor_set_in={descriptors or self.descriptors}",
                *arguments,
                *(file.name for file in self.files(google=google)),
            ],
            cwd=self.out,
        )

    def write(self, name: str, text: str, *, folder: Path | None = None) -> None:
        """Writes one file of the client, or into another folder one of its tools."""
        path = (folder or self.out) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_template(
        self, template: str, name: str | None = None, *, folder: Path | None = None, **values: str
    ) -> None:
        """Writes a file of `templates/`, with $values; the mesh's name is one of them."""
        text = resources.files("protomesh.clients").joinpath("templates", template).read_text(encoding="utf-8")
        filled = string.Template(text).substitute({"mesh": self.mesh, **values})
        self.write(name or PurePosixPath(template).name, filled, folder=folder)

    def lines(self, template: str) -> str:
        """One line for each method, with its row's values; `{AUDIENCE}` is `{audience}` in capitals."""
        return "\n".join(
            template.format(
                method=row.full_name,
                deadline=row.deadline,
                repeatable=str(row.repeatable).lower(),
                audience=row.audience.capitalize(),
                AUDIENCE=row.audience,
            )
            for row in self.table
        )

    def services(self) -> Iterator[tuple[FileDescriptorProto, str]]:
        """Yields each service's file and name."""
        for file in self.files(google=False):
            for service in file.service:
                yield file, service.name


class Language(ABC):
    """How clients in one language are made."""

    name: str
    title: str  # as its people write it
    package: str  # what its people call the folder, named after `<mesh>`
    needs: str  # what has to be installed to make it and to build it
    tested: bool  # a client of it calls a mesh in tests/clients
    kept: Sequence[str] = ()  # what its tools build in the package, and a new generation leaves alone

    @abstractmethod
    def check(self, tools: Tools) -> None:
        """Looks for the programs that have to be there already.

        Raises:
            ToolMissing: one is not.
        """

    @abstractmethod
    def generate(self, job: Job) -> None:
        """Fills `job.out`. Installs what it needs beyond `check` by itself, the first time.

        Raises:
            ToolMissing: as `check`.
            ToolFailed: a program did not end well.
        """


def manifest(values: Mapping[str, str], line: str) -> str:
    """One line for each pinned package: `{name}` and `{version}`."""
    return "\n".join(line.format(name=name, version=version) for name, version in values.items())
