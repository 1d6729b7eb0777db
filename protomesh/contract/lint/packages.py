"""Python packages and proto packages share one name space: the first one on the path hides the other."""

import importlib.machinery
import sys
from pathlib import Path

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule

__all__ = ["RULES", "check"]

PACKAGE_HIDDEN = Rule(
    id="PACKAGE_HIDDEN",
    means="A Python module has the first name of a proto package, so that its stubs can't be imported.",
    required=False,
)
RULES = (PACKAGE_HIDDEN,)

_STUBS = ("generated", "python")  # their import root in every project


def check(project: Project, report: Report) -> None:
    """Checks the first name of each proto package against the project, what is installed, and Python's own."""
    checked: set[str] = set()
    for package, origin in sorted(project.contract.package_origins.items()):
        first = package.partition(".")[0]
        if not first or first in checked:
            continue
        checked.add(first)
        if found := _hiding(project.root, first):
            message = f"the Python module {first!r} ({found}) hides the proto package {package}"
            hint = "Rename one of them; a folder without __init__.py hides nothing."
            report.add(PACKAGE_HIDDEN, origin, message, hint)


def _hiding(root: Path, name: str) -> str | None:
    """What hides the name, as a user knows it. A namespace package does not: it merges with the stubs.

    Stubs themselves are no answer, be they of another project that is installed beside this one.
    """
    if name in sys.stdlib_module_names:
        return "of Python's own library"
    for inside in (f"{name}/__init__.py", f"{name}.py"):
        if (root / inside).is_file():
            return inside
    elsewhere = [path for path in sys.path if path and Path(path).parts[-2:] != _STUBS]
    spec = importlib.machinery.PathFinder.find_spec(name, elsewhere)
    return "installed" if spec is not None and spec.origin is not None else None
