"""Repeats: only where a second delivery does no harm."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule
from protomesh.diagnostics import Severity
from protomesh.model import Safety
from protomesh.v1 import options_pb2

__all__ = ["RULES", "check"]

IDEMPOTENT_WITHOUT_REQUEST_ID = Rule(
    id="IDEMPOTENT_WITHOUT_REQUEST_ID",
    means="A method calls itself IDEMPOTENT and nothing tells a repeat from a second call (AIP-155).",
    required=False,
)
IDEMPOTENT_BY_WITHOUT_IDEMPOTENT = Rule(
    id="IDEMPOTENT_BY_WITHOUT_IDEMPOTENT",
    means="A method says what makes its repeat safe, and not that it is.",
    severity=Severity.WARNING,
    required=False,
)
RETRY_NOT_SAFE = Rule(id="RETRY_NOT_SAFE", means="A retry is asked for where a repeat may do the work twice.")
RULES = (IDEMPOTENT_WITHOUT_REQUEST_ID, IDEMPOTENT_BY_WITHOUT_IDEMPOTENT, RETRY_NOT_SAFE)


def check(project: Project, report: Report) -> None:
    """Checks what the methods say about their repeats."""
    for _, method, _ in project.methods():
        policy, request_id = method.policy, method.request.fields.get("request_id")
        safe_by_nature = policy.idempotent_by == options_pb2.IDEMPOTENT_BY_NATURE
        answered = request_id is not None and request_id.type == "string" and request_id.required
        if method.safety is Safety.IDEMPOTENT and not safe_by_nature and not answered:
            what = "no required request_id" if request_id is None else "a request_id that is not a required string"
            hint = (
                "Add string request_id = N [(buf.validate.field).string.min_len = 1] to it, or say "
                "idempotent_by: IDEMPOTENT_BY_NATURE if doing it twice leaves what doing it once left."
            )
            message = f"{method.full_name} is IDEMPOTENT and {method.request.full_name} has {what}"
            origin = method.origins.get("safety", method.origin)
            report.add(IDEMPOTENT_WITHOUT_REQUEST_ID, origin, message, hint)
        if policy.idempotent_by and method.safety is not Safety.IDEMPOTENT:
            origin = method.origins.get("idempotent_by", method.origin)
            message = f"{method.full_name} has idempotent_by and is not IDEMPOTENT"
            hint = "Add option idempotency_level = IDEMPOTENT, or remove idempotent_by."
            report.add(IDEMPOTENT_BY_WITHOUT_IDEMPOTENT, origin, message, hint)
        if policy.retry.max_attempts > 1 and (method.streaming or method.safety is Safety.UNSAFE):
            origin = method.origins.get("retry", method.origin)
            if method.streaming:
                message, hint = f"{method.full_name} is a stream, which is never repeated", "Remove retry."
            else:
                message = f"{method.full_name} asks for a retry and its repeat may do the work twice"
                hint = "Remove retry, or make the method NO_SIDE_EFFECTS or IDEMPOTENT if it is."
            report.add(RETRY_NOT_SAFE, origin, message, hint)
