"""Who may call and how often: scopes and rate limits that can be enforced."""

import re

from protomesh.contract.annotations import MethodDeclaration
from protomesh.contract.durations import SHORTEST_LIMIT_PERIOD
from protomesh.contract.lint.project import Project
from protomesh.contract.policies import duration
from protomesh.contract.report import Report, Rule
from protomesh.model import Audience

__all__ = ["RULES", "check"]

SCOPES_WITHOUT_USER = Rule(
    id="SCOPES_WITHOUT_USER", means="A method asks for scopes and not for a token: its audience is not USER."
)
SCOPE_MALFORMED = Rule(id="SCOPE_MALFORMED", means="A scope is not one as RFC 6749 spells it, or is there twice.")
RATE_LIMIT_MALFORMED = Rule(
    id="RATE_LIMIT_MALFORMED",
    means="A rate limit lacks the number of requests or the length of time, or it is over less than 50ms.",
)
REQUEST_LIMIT_TOO_LARGE = Rule(
    id="REQUEST_LIMIT_TOO_LARGE", means="max_request_bytes is more than a message of protobuf can have."
)
RULES = (SCOPES_WITHOUT_USER, SCOPE_MALFORMED, RATE_LIMIT_MALFORMED, REQUEST_LIMIT_TOO_LARGE)

_LARGEST_MESSAGE = 2**31 - 1  # bytes; protobuf's own limit, and gRPC counts in an int32

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # scope-token of RFC 6749, section 3.3


def check(project: Project, report: Report) -> None:
    """Checks scopes and limits."""
    for _, method, resolved in project.methods():
        _check_scopes(method, resolved.declared, report)
        if method.policy.HasField("rate_limit"):
            _check_rate_limit(method, report)
        if method.policy.max_request_bytes > _LARGEST_MESSAGE:
            origin = method.origins.get("max_request_bytes", method.origin)
            message = f"{method.full_name} would take {method.policy.max_request_bytes} bytes"
            hint = f"Write {_LARGEST_MESSAGE} or less; large data is sent as a stream."
            report.add(REQUEST_LIMIT_TOO_LARGE, origin, message, hint)


def _check_scopes(method: MethodDeclaration, audience: Audience, report: Report) -> None:
    scopes, origin = list(method.policy.scopes), method.origins.get("scopes", method.origin)
    if scopes and audience is not Audience.USER:
        message = f"{method.full_name} has scopes and audience {audience.name}"
        hint = "Add audience: AUDIENCE_USER, or remove scopes: only a token has them."
        report.add(SCOPES_WITHOUT_USER, origin, message, hint)
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            hint = 'Write it without spaces, quotes and backslashes: "inventory.read".'
            report.add(SCOPE_MALFORMED, origin, f"{scope!r} is not a scope", hint)
        elif scopes.count(scope) > 1:
            report.add(SCOPE_MALFORMED, origin, f"the scope {scope!r} is there twice", "Remove one of them.")


def _check_rate_limit(method: MethodDeclaration, report: Report) -> None:
    limit, origin = method.policy.rate_limit, method.origins.get("rate_limit", method.origin)
    hint = 'Write rate_limit: {requests: 50, per: "1s"}.'
    if not limit.requests:
        message = f"the rate limit of {method.full_name} lets no request through"
        report.add(RATE_LIMIT_MALFORMED, origin, message, hint)
    if not limit.per:
        message = f"the rate limit of {method.full_name} does not say in how long"
        report.add(RATE_LIMIT_MALFORMED, origin, message, hint)
    period = duration(limit.per)
    if period is not None and period < SHORTEST_LIMIT_PERIOD:
        message = f"the rate limit of {method.full_name} is over {limit.per}, and 50ms is the least"
        report.add(RATE_LIMIT_MALFORMED, origin, message, "Write as many requests in a longer time.")
