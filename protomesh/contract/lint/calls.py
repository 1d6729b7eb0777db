"""The graph of calls has no cycle: two services that need each other are one."""

from collections.abc import Mapping, Sequence

from protomesh.contract.call_names import split_call
from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule
from protomesh.diagnostics import Severity

__all__ = ["RULES", "check", "cycles"]

CALL_CYCLE = Rule(
    id="CALL_CYCLE",
    means="Services call each other in a circle: none can start, be tested or fail alone.",
    required=False,
)
RULES = (CALL_CYCLE,)


def check(project: Project, report: Report) -> None:
    """Checks `calls` of mesh.yaml. `allow_cycle: reason` on a service of the circle makes it a warning."""
    services = project.mesh.file.services
    graph = {name: sorted({split_call(call)[0] for call in file.calls}) for name, file in services.items()}
    for cycle in cycles(graph):
        allowed = any(services[name].allow_cycle for name in cycle)
        caller, callee = cycle[0], cycle[1 % len(cycle)]
        index = next(i for i, call in enumerate(services[caller].calls) if split_call(call)[0] == callee)
        report.add(
            CALL_CYCLE,
            project.mesh.origin("services", caller, "calls", index),
            f"calls go in a circle: {' -> '.join((*cycle, cycle[0]))}",
            "Let one of them tell the other by an event, or move what both need into a third; "
            "allow_cycle: with a reason on one of them makes this a warning.",
            severity=Severity.WARNING if allowed else None,
        )


def cycles(graph: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Finds, from each node in turn, the shortest cycle through it that no earlier one has shown. Sorted.

    Every edge that lies on some cycle is not listed, but a graph with a cycle never gives an empty list.
    """
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for start in sorted(graph):
        paths: list[tuple[str, ...]] = [(start,)]
        seen: set[str] = set()
        shortest: tuple[str, ...] | None = None
        while paths and shortest is None:
            path = paths.pop(0)
            for following in graph.get(path[-1], ()):
                if following == start:
                    shortest = path
                    break
                if following not in seen:
                    seen.add(following)
                    paths.append((*path, following))
        if shortest:
            found.setdefault(frozenset(shortest), shortest)
    return sorted(found.values())
