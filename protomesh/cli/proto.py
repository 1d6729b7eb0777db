"""`protomesh proto`: everything that is made from the contracts."""

from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.generated import generate, stale
from protomesh.cli.project import Project, problems_text
from protomesh.diagnostics import InvalidProject

__all__ = ["proto"]


def proto(directory: Path | None, *, check: bool) -> None:
    """Brings `generated/` up to date, or with `check` only says what is not.

    Raises:
        Failure: a contract or mesh.yaml is wrong, or with `check` something is stale.
    """
    project = Project.find(directory)
    try:
        changed = stale(project) if check else generate(project)
    except InvalidProject as invalid:
        raise Failure(problems_text(list(map(str, invalid.problems))), ExitCode.INVALID) from invalid
    names = [str(project.relative(path)) for path in changed]
    if check and names:
        listed = "\n".join(f"  {name}" for name in names)
        raise Failure(f"generated files are stale; `protomesh proto` makes them:\n{listed}", ExitCode.FAILED)
    for name in names:
        print(name)
    if not names:
        print("generated/ is up to date")
