"""`protomesh clients`: packages in other languages, made from the contracts."""

from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.clients import LANGUAGES, ToolFailed, ToolMissing, generate_client

__all__ = ["clients"]


def clients(directory: Path | None, names: str | None, *, internal: bool) -> None:
    """Makes the clients in these languages, separated by commas; in all whose tools are there if none is named.

    Raises:
        Failure: a contract or mesh.yaml is wrong, a language is unknown, or a client could not be made. The others are.
    """
    chosen = [name.strip() for name in names.split(",") if name.strip()] if names is not None else list(LANGUAGES)
    if unknown := [name for name in chosen if name not in LANGUAGES]:
        listed = ", ".join(LANGUAGES)
        raise Failure(f"there are no clients in {', '.join(unknown)}. There are: {listed}.", ExitCode.INVALID)
    project = Project.find(directory)
    topology = project.compile().topology
    failed: list[str] = []
    for name in dict.fromkeys(chosen):
        try:
            made = generate_client(project.root, topology, LANGUAGES[name], internal=internal)
        except ToolMissing as missing:
            if names is None:
                print(f"{name}: not made, {missing}", flush=True)
            else:
                failed.append(f"{name}: {missing}")
        except ToolFailed as failure:
            failed.append(f"{name}: {failure}")
        else:
            what = f"{len(made.changed)} files changed" if made.changed else "up to date"
            print(f"{name}: {project.relative(made.folder)}, {what}, {made.seconds:.1f} s", flush=True)
    if failed:
        raise Failure("\n".join(failed))
