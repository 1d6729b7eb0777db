"""What clients in the languages of the Java virtual machine have in common: Java's stubs and a Maven project."""

from collections.abc import Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protomesh.clients.debian import check_system, run_protoc
from protomesh.clients.language import Job
from protomesh.clients.tools import Tools

__all__ = ["check_jvm", "maven_dependencies", "package", "write_stubs"]

_PLUGIN = ("grpc_java_plugin", "protobuf-compiler-grpc-java-plugin")


def check_jvm(tools: Tools) -> None:
    """Looks for protoc and the plugin for Java, as `Language.check` does."""
    check_system(tools, _PLUGIN)


def write_stubs(job: Job, *more: str | Path) -> None:
    """Writes Java's stubs to src/main/java, and what `more` of protoc's arguments ask for."""
    sources = job.out / "src/main/java"
    sources.mkdir(parents=True)
    descriptors = job.descriptors.with_name("java.binpb")
    descriptors.write_bytes(_prepared(job.contracts).SerializeToString(deterministic=True))
    run_protoc(job, "java", _PLUGIN, sources, *more, descriptors=descriptors)


def package(job: Job) -> str:
    """The package of what stands beside the stubs."""
    return job.mesh.replace("-", "_") + ".client"


def maven_dependencies(pins: Mapping[str, str]) -> str:
    """The elements of a pom.xml for these artifacts, named group:artifact."""
    return "\n".join(
        "    <dependency>\n"
        f"      <groupId>{group}</groupId>\n"
        f"      <artifactId>{artifact}</artifactId>\n"
        f"      <version>{version}</version>\n"
        "    </dependency>"
        for name, version in pins.items()
        for group, _, artifact in [name.partition(":")]
    )


def _prepared(contracts: FileDescriptorSet) -> FileDescriptorSet:
    """The contracts, with a class for each message where they do not say otherwise.

    An older protoc takes an option of a newer one for a custom option, and its Java generator gives up at one whose
    declaration it does not find: debug_redact is of protoc 22.
    """
    prepared = FileDescriptorSet()
    prepared.CopyFrom(contracts)
    for file in prepared.file:
        if not file.options.HasField("java_multiple_files"):
            file.options.java_multiple_files = True
        waiting = list(file.message_type)
        while waiting:
            message = waiting.pop()
            waiting += message.nested_type
            for field in message.field:
                field.options.ClearField("debug_redact")
    return prepared
