"""C++: the system's protoc and gRPC plugin, so that stubs and libraries are of one version; one CMake library."""

from protomesh.clients.debian import check_system, plugin, protoc
from protomesh.clients.language import Job, Language
from protomesh.clients.tools import Tools

__all__ = ["Cpp"]

_PLUGIN = ("grpc_cpp_plugin", "protobuf-compiler-grpc")


class Cpp(Language):
    """A static library that pkg-config's grpc++ and protobuf build."""

    name = "cpp"
    title = "C++"
    package = "CMake target `<mesh>_client`"
    needs = "CMake, gRPC and protobuf for C++, protoc with its gRPC plugin"
    tested = True
    kept = ("build",)

    def check(self, tools: Tools) -> None:
        check_system(tools, _PLUGIN)

    def generate(self, job: Job) -> None:
        program = [protoc(job.tools)]
        job.protoc([f"--cpp_out={job.out}"], google=True, program=program)
        job.protoc(
            [f"--plugin=protoc-gen-grpc={plugin(job.tools, _PLUGIN)}", f"--grpc_out={job.out}"],
            google=False,
            program=program,
        )
        identifier = job.mesh.replace("-", "_")
        job.write_template("cpp/CMakeLists.txt", identifier=identifier)
        row = '      {{"{method}", std::chrono::milliseconds({deadline}), {repeatable}, Audience::k{audience}}},'
        job.write_template("cpp/client.h", f"{identifier}_client.h", identifier=identifier, rows=job.lines(row))
