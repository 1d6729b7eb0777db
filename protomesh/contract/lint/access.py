"""Who may call and how often: scopes and rate limits that can be enforced."""

import re

from protomesh.contract.lint.project import Project
from protomesh.contract.report import Report, Rule
from protomesh.model import Audience

__all__ = ["RULES", "check"]

SCOPES_WITHOUT_USER = Rule(
    id="SCOPES_WITHOUT_USER", means="A method asks for scopes and not for a token: its audience is not USER."
)
SCOPE_MALFORMED = Rule(id="SCOPE_MALFORMED", means="A scope is not one as RFC 6749 spells it, or is there twice.")
RATE_LIMIT_MALFORMED = Rule(
    id="RATE_LIMIT_MALFORMED", means="A rate limit lacks the number of requests or the length of time."
)
RULES = (SCOPES_WITHOUT_USER, SCOPE_MALFORMED, RATE_LIMIT_MALFORMED)

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # scope-token of RFC 6749, section 3.3


def check(project: Project, report: Report) -> None:
    """Checks scopes and rate limits."""
    for _, method, resolved in project.methods():
        scopes, origin = list(method.policy.scopes), method.origins.get("scopes", method.origin)
        if scopes and resolved.declared is not Audience.USER:
            message = f"{method.full_name} has scopes and audience {resolved.declared.name}"
            hint = "Add audience: AUDIENCE_USER, or remove scopes: only a token has them."
            report.add(SCOPES_WITHOUT_USER, origin, message, hint)
        for scope in scopes:
            if not _SCOPE.fullmatch(scope):
                hint = 'Write it without spaces, quotes and backslashes: "inventory.read".'
                report.add(SCOPE_MALFORMED, origin, f"{scope!r} is not a scope", hint)
            elif scopes.count(scope) > 1:
                report.add(SCOPE_MALFORMED, origin, f"the scope {scope!r} is there twice", "Remove one of them.")
        if method.policy.HasField("rate_limit"):
            limit, origin = method.policy.rate_limit, method.origins.get("rate_limit", method.origin)
            hint = 'Write rate_limit: {requests: 50, per: "1s"}.'
            if not limit.requests:
                message = f"the rate limit of {method.full_name} lets no request through"
                report.add(RATE_LIMIT_MALFORMED, origin, message, hint)
            if not limit.per:
                message = f"the rate limit of {method.full_name} does not say in how long"
                report.add(RATE_LIMIT_MALFORMED, origin, message, hint)
