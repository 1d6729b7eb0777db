"""A golden case: a small project in a folder, and what becomes of it in files beside it.

`in.proto` (or a tree `protos/`) and `mesh.yaml` go in. `mesh.<environment>.yaml` is compiled as that environment, and
`variables.env` holds the environment variables, NAME=value on each line; all else in the folder is part of the
project. Out come `error.txt` if the project has errors, else a file for each of OUTPUTS that has something to say;
`warnings.txt` in both cases if there are warnings.
"""

import shutil
from pathlib import Path

from protomesh.contract import Compilation, compile_project
from protomesh.diagnostics import Diagnostic, InvalidProject, Problems
from tests.golden.outputs import OUTPUTS

__all__ = ["CASES", "ERROR", "WARNINGS", "compiled", "results", "rewrite", "written"]

_FOLDER = Path(__file__).parent
CASES = sorted(path.name for path in _FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__")
ERROR, WARNINGS = "error.txt", "warnings.txt"
_OUT = {ERROR, WARNINGS, *OUTPUTS}


def results(case: str, project: Path) -> dict[str, str]:
    """Compiles a case, copied to the folder `project`: file name to text of all that comes out."""
    try:
        compilation = compiled(case, project)
    except InvalidProject as invalid:
        return {ERROR: _lines(invalid.problems.errors), **_warnings(invalid.problems)}
    texts = {name: output(compilation) for name, output in OUTPUTS.items()}
    return {name: text for name, text in texts.items() if text} | _warnings(compilation.problems)


def compiled(case: str, project: Path) -> Compilation:
    """Compiles a case, copied to the folder `project`. Raises InvalidProject if it has errors."""
    shutil.copytree(_FOLDER / case, project, symlinks=True, ignore=shutil.ignore_patterns(*_OUT), dirs_exist_ok=True)
    if (project / "in.proto").exists():
        (project / "protos").mkdir()
        (project / "in.proto").rename(project / "protos" / "in.proto")
    overlays = [path.name.split(".")[1] for path in project.glob("mesh.*.yaml")]
    (environment,) = overlays or ["base"]
    return compile_project(project, environment=environment, variables=_variables(project))


def written(case: str) -> dict[str, str]:
    """What the files of the case say should come out."""
    return {path.name: path.read_text() for path in (_FOLDER / case).iterdir() if path.name in _OUT}


def rewrite(case: str, texts: dict[str, str]) -> None:
    """Writes what comes out to the case's folder, and removes what no longer does."""
    for name in _OUT - texts.keys():
        (_FOLDER / case / name).unlink(missing_ok=True)
    for name, text in texts.items():
        (_FOLDER / case / name).write_text(text)


def _variables(project: Path) -> dict[str, str]:
    file = project / "variables.env"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def _warnings(problems: Problems) -> dict[str, str]:
    return {WARNINGS: _lines(problems.warnings)} if problems.warnings else {}


def _lines(diagnostics: list[Diagnostic]) -> str:
    return "".join(f"{diagnostic}\n" for diagnostic in diagnostics)
