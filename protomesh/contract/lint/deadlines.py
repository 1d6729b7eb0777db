"""Deadlines: every unary call has one, and no caller gives up before its callee can answer."""

from protomesh.contract.call_names import matching, split_call
from protomesh.contract.durations import format_duration, parse_duration
from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule
from protomesh.diagnostics import Severity
from protomesh.model import Origin

__all__ = ["RULES", "check"]

DURATION_MALFORMED = Rule(id="DURATION_MALFORMED", means="A duration in a contract is not a number with its unit.")
UNARY_WITHOUT_DEADLINE = Rule(
    id="UNARY_WITHOUT_DEADLINE", means="Neither a unary method nor its service says how long a call may take."
)
DEADLINE_SHORTER_THAN_CALLEE = Rule(
    id="DEADLINE_SHORTER_THAN_CALLEE",
    means="A service names a method in its calls that may take longer than any of its own: it can't wait for it.",
    required=False,
)
RULES = (DURATION_MALFORMED, UNARY_WITHOUT_DEADLINE, DEADLINE_SHORTER_THAN_CALLEE)

_WRITE_ONE = 'Write a number with its unit: "500ms", "2s", "1m".'


def check(project: Project, report: Report) -> None:
    """Checks the deadlines of contracts and of named calls."""
    for service in project.contract.services.values():
        _check_duration(service.policy.timeout, service.origins.get("timeout", service.origin), report)
    for service, method, resolved in project.methods():
        _check_duration(method.policy.timeout, method.origins.get("timeout", method.origin), report)
        if method.policy.HasField("rate_limit"):
            origin = method.origins.get("rate_limit", method.origin)
            _check_duration(method.policy.rate_limit.per, origin, report)
        says = method.policy.timeout or service.policy.timeout
        if not method.streaming and resolved.method.timeout is None and not says:
            hint = (
                f'Add option (protomesh.v1.method) = {{timeout: "2s"}} here, or (protomesh.v1.service) for all of '
                f"{service.full_name.rpartition('.')[2]}; if the contract is not yours, give its package a timeout "
                "under contracts: in mesh.yaml."
            )
            report.add(UNARY_WITHOUT_DEADLINE, method.origin, f"{method.full_name} has no deadline", hint)
    for name in project.mesh.file.services:
        _check_calls(project, name, report)


def _check_calls(project: Project, name: str, report: Report) -> None:
    """Compares the longest deadline of a service with those of the methods that it names in its calls.

    Which of its methods makes a call is not known, so a shorter one beside the longest is no finding. Neither is it
    known of a stream without a deadline, which may wait as long as it likes: then the finding is a warning.
    """
    timeouts = [project.resolved[method.full_name].method.timeout for method in project.served_by(name)]
    longest = max((timeout for timeout in timeouts if timeout is not None), default=None)
    severity = Severity.WARNING if None in timeouts else None
    for index, call in enumerate(project.mesh.file.services[name].calls):
        callee, called = split_call(call)
        if longest is None or not called or callee not in project.mesh.file.services:
            continue
        for method in matching(called, project.served_by(callee)):
            needed = project.resolved[method.full_name].method.timeout
            if needed is not None and needed > longest:
                message = (
                    f"{method.full_name} may take {format_duration(needed)} and no method of {name} "
                    f"has more than {format_duration(longest)}"
                )
                hint = f"Give the method of {name} that calls it more time, or {called} less."
                origin = project.mesh.origin("services", name, "calls", index)
                report.add(DEADLINE_SHORTER_THAN_CALLEE, origin, message, hint, severity=severity)


def _check_duration(text: str, origin: Origin, report: Report) -> None:
    if text:
        try:
            parse_duration(text)
        except ValueError as malformed:
            report.add(DURATION_MALFORMED, origin, str(malformed), _WRITE_ONE)
