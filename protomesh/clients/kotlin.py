"""Kotlin: Java's stubs, Kotlin's builders for the messages and coroutines for the calls, one Maven project."""

from pathlib import Path

from protomesh.clients.jvm import check_jvm, maven_dependencies, package, write_stubs
from protomesh.clients.language import Job, Language
from protomesh.clients.pins import KOTLIN, KOTLIN_TOOLS, MAVEN
from protomesh.clients.tools import Tools
from protomesh.contract.protoc_plugin import write_protoc_plugin

__all__ = ["Kotlin"]

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


class Kotlin(Language):
    """A project whose packages are named as the proto packages."""

    name = "kotlin"
    title = "Kotlin"
    package = "Maven artifact `<mesh>.mesh:<mesh>-client-kotlin`"
    needs = "a JDK 17, Maven, protoc with its gRPC plugin for Java"
    tested = True
    kept = ("target",)

    def check(self, tools: Tools) -> None:
        check_jvm(tools)
        _program(tools, "java")
        _program(tools, "mvn")

    def generate(self, job: Job) -> None:
        maven = _program(job.tools, "mvn")

        def install(folder: Path) -> None:
            for artifact, version in KOTLIN_TOOLS.items():
                wanted = [f"-Dartifact={artifact}:{version}:jar:jdk8", f"-DoutputDirectory={folder}"]
                job.tools.run(
                    [maven, "--batch-mode", "--quiet", _COPY, *wanted, "-Dmdep.stripVersion=true"], cwd=folder
                )

        jar = job.tools.installed("kotlin", KOTLIN_TOOLS, install) / "protoc-gen-grpc-kotlin-jdk8.jar"
        java = _program(job.tools, "java")
        # It runs for a second: compiling it well would take longer.
        script = write_protoc_plugin(
            job.descriptors.with_name("protoc-gen-grpckt"), [java, "-XX:TieredStopAtLevel=1", "-jar", jar]
        )
        sources = job.out / "src/main/kotlin"
        sources.mkdir(parents=True)
        write_stubs(job, f"--plugin=protoc-gen-grpckt={script}", f"--kotlin_out={sources}", f"--grpckt_out={sources}")
        own = package(job)
        job.write_template(
            "kotlin/pom.xml",
            dependencies=maven_dependencies(MAVEN | KOTLIN),
            kotlin=KOTLIN["org.jetbrains.kotlin:kotlin-stdlib"],
        )
        row = '    "{method}" to Method({deadline}.milliseconds, {repeatable}, Audience.{AUDIENCE}),'
        job.write_template(
            "kotlin/Client.kt",
            f"src/main/kotlin/{own.replace('.', '/')}/Client.kt",
            package=own,
            rows=job.lines(row),
        )


def _program(tools: Tools, name: str) -> Path:
    return tools.find(name, "install a JDK 17 or newer, and Maven")
