"""C#: protoc and the plugin of Grpc.Tools, or the system's, and one project file."""

import platform
import shutil
import sys
from pathlib import Path

from protomesh.clients.debian import protoc
from protomesh.clients.language import Job, Language, manifest
from protomesh.clients.pins import NUGET, NUGET_TOOLS
from protomesh.clients.tools import Tools

__all__ = ["CSharp"]

_REFERENCE = '    <PackageReference Include="{name}" Version="{version}" />'
_ROW = '            ["{method}"] = new(TimeSpan.FromMilliseconds({deadline}), {repeatable}, Audience.{audience}),'


class CSharp(Language):
    """A library whose namespaces are named as the proto packages."""

    name = "csharp"
    title = "C#"
    package = "project `<Mesh>Client.csproj`"
    needs = "the .NET SDK 8, or protoc with its gRPC plugin for C#"
    tested = False
    kept = ("bin", "obj")

    def check(self, tools: Tools) -> None:
        if shutil.which("dotnet") is None:
            protoc(tools)
            _plugin(tools)

    def generate(self, job: Job) -> None:
        program, plugin = _generators(job)
        # Folders are named as the namespaces; a client serves nothing.
        job.protoc(
            [
                f"--plugin=protoc-gen-grpc={plugin}",
                f"--csharp_out={job.out}",
                "--csharp_opt=base_namespace=,file_extension=.g.cs",
                f"--grpc_out={job.out}",
                "--grpc_opt=no_server,base_namespace=,file_suffix=Grpc.g.cs",
            ],
            google=False,
            program=[program],
        )
        job.write_template(
            "csharp/Client.csproj", f"{job.module}.csproj", module=job.module, requires=manifest(NUGET, _REFERENCE)
        )
        job.write_template("csharp/Client.cs", module=job.module, rows=job.lines(_ROW))


def _generators(job: Job) -> tuple[Path, Path]:
    """Returns protoc and the plugin: those that dotnet fetches, of one version, else the system's."""
    dotnet = shutil.which("dotnet")
    if dotnet is None:
        return protoc(job.tools), _plugin(job.tools)

    def install(folder: Path) -> None:
        job.write_template("csharp/Tools.csproj", folder=folder, requires=manifest(NUGET_TOOLS, _REFERENCE))
        job.tools.run([dotnet, "restore", "Tools.csproj", "--packages", folder], cwd=folder)
        for program in folder.glob("grpc.tools/*/tools/*/*"):
            program.chmod(0o755)  # packages carry no permissions

    version = NUGET_TOOLS["Grpc.Tools"]
    installed = job.tools.installed("csharp", NUGET_TOOLS, install)
    programs = installed / "grpc.tools" / version / "tools" / _platform()
    return programs / "protoc", programs / "grpc_csharp_plugin"


def _platform() -> str:
    """Grpc.Tools' name of this platform; on an Apple of either kind it brings programs for the older one."""
    if sys.platform == "darwin":
        return "macosx_x64"
    return "linux_arm64" if platform.machine() in ("aarch64", "arm64") else "linux_x64"


def _plugin(tools: Tools) -> Path:
    return tools.find("grpc_csharp_plugin", "install the .NET SDK, or a gRPC whose package has it, as Homebrew's")
