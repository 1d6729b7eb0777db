from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protomesh.clients.csharp import CSharp
from protomesh.clients.language import Job
from protomesh.clients.pins import NUGET_TOOLS
from protomesh.clients.table import rows
from protomesh.clients.tools import ToolMissing, Tools
from protomesh.model import Topology

DOTNET = """#!/bin/sh
# Restores Grpc.Tools for every platform into the folder of `restore Tools.csproj --packages FOLDER`, as NuGet does:
# without permissions to run.
grep -q 'Include="Grpc.Tools" Version="{version}"' "$2" || exit 1
for platform in linux_x64 linux_arm64 macosx_x64; do
  tools="$4/grpc.tools/{version}/tools/$platform"
  /bin/mkdir -p "$tools"
  printf '#!/bin/sh\\nprintf "%%s\\\\n" "$0" "$@" > arguments\\n' > "$tools/protoc"
  : > "$tools/grpc_csharp_plugin"
done
"""


def test_dotnet_brings_protoc_and_its_plugin(shop: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of the pinned Grpc.Tools, so that nothing else has to be installed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dotnet").write_text(DOTNET.format(version=NUGET_TOOLS["Grpc.Tools"]))
    (programs / "dotnet").chmod(0o755)
    (programs / "grep").symlink_to("/bin/grep")
    monkeypatch.setenv("PATH", str(programs))
    out = tmp_path / "out"
    out.mkdir()
    tools = Tools(tmp_path)
    job = Job(
        mesh="my-shop",
        contracts=FileDescriptorSet(),
        descriptors=tmp_path / "contracts.binpb",
        table=tuple(rows(shop, internal=False)),
        tools=tools,
        out=out,
    )

    CSharp().check(tools)
    CSharp().generate(job)

    protoc, *arguments = (out / "arguments").read_text().splitlines()
    plugin = next(argument for argument in arguments if argument.startswith("--plugin="))
    assert protoc.endswith("/protoc")
    assert plugin == f"--plugin=protoc-gen-grpc={Path(protoc).with_name('grpc_csharp_plugin')}"
    assert (out / "MyShopClient.csproj").is_file()
    assert "namespace MyShopClient\n" in (out / "Client.cs").read_text()


def test_without_dotnet_the_systems_plugin_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in few systems' packages, so the other way is named too."""
    (tmp_path / "protoc").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ToolMissing, match=r"there is no grpc_csharp_plugin: install the \.NET SDK"):
        CSharp().check(Tools(tmp_path))
