"""Rust: prost and tonic, by a small program of our own that calls their code generators."""

from pathlib import Path

from protomesh.clients.language import Job, Language, manifest
from protomesh.clients.pins import CARGO, CARGO_TOOLS
from protomesh.clients.tools import Tools

__all__ = ["Rust"]


class Rust(Language):
    """A crate named after the mesh, with one module for each part of a proto package's name."""

    name = "rust"
    title = "Rust"
    package = "crate `<mesh>-client`"
    needs = "Rust 1.85"
    tested = True
    kept = ("target", "Cargo.lock")

    def check(self, tools: Tools) -> None:
        _cargo(tools)

    def generate(self, job: Job) -> None:
        cargo = _cargo(job.tools)

        def install(folder: Path) -> None:
            job.write_template("rust-stubs/Cargo.toml", folder=folder, requires=_exact(CARGO_TOOLS))
            job.write_template("rust-stubs/main.rs", "src/main.rs", folder=folder)
            job.tools.run([cargo, "build", "--quiet", "--jobs", "2"], cwd=folder)

        tool = job.tools.installed("rust", CARGO_TOOLS, install) / "target/debug/protomesh-rust-stubs"
        stubs = job.out / "src" / "stubs"
        stubs.mkdir(parents=True)
        job.tools.run([tool, job.descriptors, stubs], cwd=job.out)
        row = (
            '    Method {{ full_name: "{method}", deadline: Duration::from_millis({deadline}), '
            "repeatable: {repeatable}, audience: Audience::{audience} }},"
        )
        job.write_template("rust/Cargo.toml", requires=_exact(CARGO))
        job.write_template("rust/lib.rs", "src/lib.rs")
        job.write_template("rust/methods.rs", "src/methods.rs", rows=job.lines(row))


def _cargo(tools: Tools) -> Path:
    return tools.find("cargo", "install Rust 1.85 or newer with rustup")


def _exact(pins: dict[str, str]) -> str:
    return manifest(pins, '{name} = "={version}"')
