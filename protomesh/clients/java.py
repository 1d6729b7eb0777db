"""Java: the system's protoc and gRPC's plugin, one Maven project."""

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protomesh.clients.debian import plugin, protoc
from protomesh.clients.language import Job, Language
from protomesh.clients.pins import MAVEN
from protomesh.clients.tools import Tools

__all__ = ["Java"]

_PLUGIN = ("grpc_java_plugin", "protobuf-compiler-grpc-java-plugin")


class Java(Language):
    """A project whose Java packages are named as the proto packages, with a class for each message."""

    name = "java"
    title = "Java"
    tested = True
    kept = ("target",)

    def check(self, tools: Tools) -> None:
        protoc(tools)
        plugin(tools, *_PLUGIN)

    def generate(self, job: Job) -> None:
        sources = job.out / "src/main/java"
        sources.mkdir(parents=True)
        descriptors = job.descriptors.with_name("java.binpb")
        descriptors.write_bytes(_prepared(job.contracts).SerializeToString(deterministic=True))
        job.protoc(
            [
                f"--plugin=protoc-gen-grpc={plugin(job.tools, *_PLUGIN)}",
                f"--java_out={sources}",
                f"--grpc_out={sources}",
            ],
            google=False,
            program=[protoc(job.tools)],
            descriptors=descriptors,
        )
        package = job.mesh.replace("-", "_") + ".client"
        folder = f"src/main/java/{package.replace('.', '/')}"
        dependencies = "\n".join(
            "    <dependency>\n"
            f"      <groupId>{group}</groupId>\n"
            f"      <artifactId>{artifact}</artifactId>\n"
            f"      <version>{version}</version>\n"
            "    </dependency>"
            for name, version in MAVEN.items()
            for group, _, artifact in [name.partition(":")]
        )
        job.write_template("java/pom.xml", dependencies=dependencies)
        job.write_template("java/DeclaredErrors.java", f"{folder}/DeclaredErrors.java", package=package)
        row = (
            '      Map.entry("{method}", new Method(Duration.ofMillis({deadline}), {repeatable}, Audience.{AUDIENCE}))'
        )
        rows = job.lines(row).replace("))\n", ")),\n")
        job.write_template("java/Methods.java", f"{folder}/Methods.java", package=package, rows=rows)


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
