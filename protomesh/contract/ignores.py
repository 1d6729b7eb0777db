"""`protomesh:ignore RULE reason`: a rule silenced at one place, for a reason that stays readable."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from protomesh.contract.report import Finding, Report, Rule, did_you_mean
from protomesh.diagnostics import Severity
from protomesh.model import Origin

__all__ = ["RULES", "UNUSED", "silence"]

WITHOUT_REASON = Rule(id="IGNORE_WITHOUT_REASON", means="A rule is silenced and nobody can read why.")
UNKNOWN = Rule(id="IGNORE_UNKNOWN_RULE", means="protomesh:ignore names a rule that does not exist.")
REFUSED = Rule(
    id="IGNORE_REFUSED", means="protomesh:ignore names a rule without which the mesh would be wrong; it stays in force."
)
UNUSED = Rule(
    id="UNUSED_IGNORE",
    means="protomesh:ignore silences nothing.",
    severity=Severity.WARNING,
    required=False,
)
RULES = (WITHOUT_REASON, UNKNOWN, REFUSED, UNUSED)

_IGNORE = re.compile(r"(?://|#)\s*protomesh:ignore\b[ \t]*(?P<rule>\S*)[ \t]*(?P<reason>.*)$")
_COMMENT = re.compile(r"\s*(?://|#)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ignore:
    rule: str
    reason: str
    origin: Origin
    line: int  # the line it speaks of: its own, or the next one that is not a comment


def silence(root: Path, files: Iterable[str], report: Report, rules: Mapping[str, Rule]) -> tuple[list[Finding], int]:
    """Takes away what the ignores in `files` silence. Returns the findings left and how many were silenced.

    Problems of the ignores themselves are among the findings left.
    """
    ignores = [ignore for file in files for ignore in _read(root, file)]
    about = Report()
    effective: dict[tuple[str, int, str], _Ignore] = {}
    for ignore in ignores:
        rule = rules.get(ignore.rule)
        if rule is None:
            hint = did_you_mean(ignore.rule, rules, "Write protomesh:ignore, the rule's name and the reason.")
            about.add(UNKNOWN, ignore.origin, f"there is no rule {ignore.rule!r}", hint)
        elif rule.required:
            message = f"{rule.id} can't be silenced"
            about.add(REFUSED, ignore.origin, message, "Correct what it reports, and remove the ignore.")
        else:
            effective[ignore.origin.file, ignore.line, rule.id] = ignore
            if not ignore.reason:
                hint = f"Write the reason after it: protomesh:ignore {rule.id} because ..."
                about.add(WITHOUT_REASON, ignore.origin, f"{rule.id} is silenced without a reason", hint)
    left: list[Finding] = []
    used: set[_Ignore] = set()
    for finding in report:
        origin = finding.diagnostic.origin
        ignored = effective.get((origin.file, origin.line, finding.rule.id))
        if ignored is None:
            left.append(finding)
        else:
            used.add(ignored)
    for ignore in effective.values():
        if ignore not in used:
            about.add(UNUSED, ignore.origin, f"{ignore.rule} reports nothing here", "Remove the comment.")
    return [*left, *about], len(list(report)) - len(left)


def _read(root: Path, file: str) -> Iterator[_Ignore]:
    lines = (root / file).read_text(encoding="utf-8", errors="replace").split("\n")
    for number, text in enumerate(lines):
        if match := _IGNORE.search(text):
            spoken_of = number
            while _COMMENT.match(lines[spoken_of]) and spoken_of + 1 < len(lines):
                spoken_of += 1
            yield _Ignore(
                rule=match["rule"],
                reason=match["reason"].strip(),
                origin=Origin(file=file, line=number + 1, column=match.start() + 1),
                line=spoken_of + 1,
            )
