"""`protomesh check`: everything that can be known before something runs."""

import asyncio
import json as json_
from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.generated import stale
from protomesh.cli.project import Project
from protomesh.cli.security import exposures, kinds
from protomesh.contract import Compilation, compile_project
from protomesh.diagnostics import Diagnostic, InvalidProject
from protomesh.proxy import ProxyError, find, validate
from protomesh.targets.envoy import load_overrides, render, static_bootstrap

__all__ = ["check", "check_security"]

_SHOWN = 10  # stale files that are named on a terminal; --json has all


def check(directory: Path | None, environment: str, *, json: bool) -> None:
    """Lists every problem of contracts and mesh.yaml, stale generated files, and what Envoy refuses.

    Raises:
        Failure: there is an error (2); or something is stale, or Envoy is missing or refuses (1).
    """
    project = Project.find(directory)
    report = _Report()
    try:
        compilation = compile_project(project.root, environment=environment)
        outdated = stale(project)  # it is made without what variables and overlays say, and may be wrong without
    except InvalidProject as invalid:
        report.problems = list(invalid.problems)
        report.code = ExitCode.INVALID
    else:
        report.problems = list(compilation.problems)
        report.silenced = compilation.silenced
        report.stale = [str(project.relative(path)) for path in outdated]
        report.envoy = asyncio.run(_validate(project, compilation))
        report.code = ExitCode.FAILED if report.stale or report.envoy else ExitCode.OK
    print(report.as_json() if json else report.as_text())
    if report.code:
        raise Failure("", report.code)


def check_security(directory: Path | None, environment: str, *, json: bool) -> None:
    """Lists what is open and to whom, with the line that says so. It is no judgement: each may be meant.

    Raises:
        Failure: contracts or mesh.yaml have errors (2).
    """
    project = Project.find(directory)
    topology = project.compile(environment).topology
    found = list(exposures(topology, load_overrides(project.root), project.root))
    if json:
        rows = [
            {"kind": each.kind, "what": each.what, "file": each.origin.file, "line": each.origin.line} for each in found
        ]
        print(json_.dumps(rows, indent=2))
        return
    width = max((len(each.what) for each in found), default=0)
    for kind, of_kind in kinds(found):
        print(f"{kind}: {len(of_kind) or 'none'}")
        for each in of_kind:
            print(f"  {each.what:{width}}  {each.origin}")


async def _validate(project: Project, compilation: Compilation) -> str:
    """What Envoy says against the configuration, or nothing."""
    try:
        binary = await asyncio.to_thread(find, compilation.topology.envoy_path)
        rendered = render(compilation.topology, project.layout)
        await asyncio.to_thread(Path(project.layout.logs).mkdir, parents=True, exist_ok=True)  # Envoy opens its log
        await validate(binary, static_bootstrap(rendered, project.layout))
    except ProxyError as error:
        return str(error)
    return ""


class _Report:
    """What was found."""

    def __init__(self) -> None:
        self.problems: list[Diagnostic] = []
        self.silenced = 0
        self.stale: list[str] = []
        self.envoy = ""
        self.code = ExitCode.OK

    def as_text(self) -> str:
        lines = [f"{problem.severity}: {problem}" for problem in self.problems]
        lines += [f"stale: {name}. `protomesh proto` makes it." for name in self.stale[:_SHOWN]]
        lines += [f"stale: {len(self.stale) - _SHOWN} more"] if len(self.stale) > _SHOWN else []
        lines += [f"envoy: {self.envoy}"] if self.envoy else []
        errors = sum(problem.severity == "error" for problem in self.problems)
        counts = (
            f"{errors} errors, {len(self.problems) - errors} warnings, {self.silenced} silenced, "
            f"{len(self.stale)} stale files"
        )
        return "\n".join([*lines, counts])

    def as_json(self) -> str:
        return json_.dumps(
            {
                "problems": [
                    {
                        "file": problem.origin.file,
                        "line": problem.origin.line,
                        "column": problem.origin.column,
                        "rule": problem.rule,
                        "severity": str(problem.severity),
                        "message": problem.message,
                        "hint": problem.hint,
                    }
                    for problem in self.problems
                ],
                "silenced": self.silenced,
                "stale": self.stale,
                "envoy": self.envoy,
            },
            indent=2,
        )
