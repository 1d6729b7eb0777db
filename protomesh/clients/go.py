"""Go: protoc-gen-go and protoc-gen-go-grpc, one module."""

from pathlib import Path, PurePosixPath

from protomesh.clients.language import Job, Language, manifest
from protomesh.clients.pins import GO, GO_TOOLS
from protomesh.clients.tools import Tools

__all__ = ["Go"]


class Go(Language):
    """A module named after the mesh, with one package for each proto package."""

    name = "go"
    title = "Go"
    package = "module `<mesh>.mesh/client`"
    needs = "Go 1.26"
    tested = True

    def check(self, tools: Tools) -> None:
        _go(tools)

    def generate(self, job: Job) -> None:
        go = _go(job.tools)

        def install(folder: Path) -> None:
            for module, version in GO_TOOLS.items():
                job.tools.run([go, "install", f"{module}@{version}"], cwd=folder, environment={"GOBIN": str(folder)})

        plugins = job.tools.installed("go", GO_TOOLS, install)
        module = f"{job.mesh}.mesh/client"
        placed = [f"M{file.name}={module}/{_package(file.name)}" for file in job.files(google=False)]
        job.protoc(
            [
                f"--plugin={plugins / 'protoc-gen-go'}",
                f"--plugin={plugins / 'protoc-gen-go-grpc'}",
                *(f"--go{kind}_opt={option}" for kind in ("", "-grpc") for option in (f"module={module}", *placed)),
                f"--go_out={job.out}",
                f"--go-grpc_out={job.out}",
            ],
            google=False,
        )
        job.write_template("go/errors.go")
        says = "Deadline: {deadline} * time.Millisecond, Repeatable: {repeatable}, Audience: {audience}"
        rows = job.lines('\t"/{method}": {{' + says + "}},")
        job.write_template("go/methods.go", rows=rows)
        job.write_template("go/go.mod.txt", "go.mod", module=module, requires=manifest(GO, "\t{name} {version}"))
        job.tools.run([go, "mod", "tidy"], cwd=job.out)
        job.tools.run([go, "fmt", "./..."], cwd=job.out)


def _go(tools: Tools) -> Path:
    return tools.find("go", "install Go 1.26 or newer")


def _package(file: str) -> str:
    """Import path and name of the Go package: shop/catalog/v1;catalogv1, as Go's own style has it."""
    folder = PurePosixPath(file).parent
    name = "".join(folder.parts[-2:]).replace("-", "").replace("_", "") or PurePosixPath(file).stem
    return f"{folder};{name}"
