"""Ruby: protoc and gRPC's plugin, one gem."""

from protomesh.clients.debian import check_system, run_protoc
from protomesh.clients.language import Job, Language
from protomesh.clients.tools import Tools

__all__ = ["Ruby"]

_PLUGIN = ("grpc_ruby_plugin", "protobuf-compiler-grpc")


class Ruby(Language):
    """A gem named after the mesh. Modules are named after the proto packages."""

    name = "ruby"
    title = "Ruby"
    package = "gem `<mesh>-client`"
    needs = "Ruby with the gem `grpc`, protoc with its gRPC plugin"
    tested = True

    def check(self, tools: Tools) -> None:
        check_system(tools, _PLUGIN)

    def generate(self, job: Job) -> None:
        lib = job.out / "lib"
        lib.mkdir()
        run_protoc(job, "ruby", _PLUGIN, lib)
        identifier = job.mesh.replace("-", "_")
        stubs = [path.relative_to(lib).with_suffix("") for path in sorted(lib.rglob("*_pb.rb"))]
        job.write_template("ruby/client.gemspec", f"{job.mesh}-client.gemspec")
        job.write_template(
            "ruby/client.rb",
            f"lib/{identifier}_client.rb",
            module=job.module,
            requires="\n".join(f"require '{name}'" for name in stubs),
            rows=job.lines("    '{method}' => Method.new({deadline} / 1000.0, {repeatable}, :{audience}).freeze,"),
        )
