"""Streams: a caller that lost one goes on where it was."""

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule

__all__ = ["RULES", "check"]

WATCH_WITHOUT_RESUME_TOKEN = Rule(
    id="WATCH_WITHOUT_RESUME_TOKEN",
    means="A Watch or Subscribe stream has no resume_token: every restart of a service loses what came between.",
    required=False,
)
RULES = (WATCH_WITHOUT_RESUME_TOKEN,)


def check(project: Project, report: Report) -> None:
    """Checks server-streaming methods whose name begins with Watch or Subscribe."""
    for _, method, _ in project.methods():
        verb = next((verb for verb in ("Watch", "Subscribe") if method.name.startswith(verb)), None)
        if verb is None or method.name[len(verb) : len(verb) + 1].islower() or not method.server_streaming:
            continue
        if not method.request.has("resume_token", "string"):
            hint = f"Add string resume_token to {method.request.full_name}, and send a token with each message."
            message = f"{method.full_name} can't be resumed: its request has no string resume_token"
            report.add(WATCH_WITHOUT_RESUME_TOKEN, method.origin, message, hint)
