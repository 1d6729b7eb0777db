"""Java: the system's protoc and gRPC's plugin, one Maven project."""

from protomesh.clients.jvm import check_jvm, maven_dependencies, package, write_stubs
from protomesh.clients.language import Job, Language
from protomesh.clients.pins import MAVEN
from protomesh.clients.tools import Tools

__all__ = ["Java"]


class Java(Language):
    """A project whose Java packages are named as the proto packages, with a class for each message."""

    name = "java"
    title = "Java"
    package = "Maven artifact `<mesh>.mesh:<mesh>-client`"
    needs = "a JDK 17, Maven, protoc with its gRPC plugin for Java"
    tested = True
    kept = ("target",)

    def check(self, tools: Tools) -> None:
        check_jvm(tools)

    def generate(self, job: Job) -> None:
        write_stubs(job)
        own = package(job)
        folder = f"src/main/java/{own.replace('.', '/')}"
        job.write_template("java/pom.xml", dependencies=maven_dependencies(MAVEN))
        job.write_template("java/DeclaredErrors.java", f"{folder}/DeclaredErrors.java", package=own)
        row = (
            '      Map.entry("{method}", new Method(Duration.ofMillis({deadline}), {repeatable}, Audience.{AUDIENCE}))'
        )
        rows = job.lines(row).replace("))\n", ")),\n")
        job.write_template("java/Methods.java", f"{folder}/Methods.java", package=own, rows=rows)
