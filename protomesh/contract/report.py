"""Rules, and what they found."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protomesh.diagnostics import Diagnostic, Severity
from protomesh.model import Origin

__all__ = ["Finding", "Report", "Rule", "did_you_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that is checked, under the name that users see and silence."""

    id: str  # UPPER_SNAKE, as buf spells its rules
    means: str  # what is wrong when it reports; a sentence
    severity: Severity = Severity.ERROR
    required: bool = True  # the mesh would be wrong without it: neither `lint: off` nor an ignore silences it


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule and one place where it holds no more."""

    rule: Rule
    diagnostic: Diagnostic


class Report:
    """Collects what the rules find, each thing once."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)

    def add(self, rule: Rule, origin: Origin, message: str, hint: str, *, severity: Severity | None = None) -> None:
        """Adds one finding. `severity` is for the rule whose severity the user chooses."""
        diagnostic = Diagnostic(
            origin=origin, rule=rule.id, message=message, hint=hint, severity=severity or rule.severity
        )
        self._found[Finding(rule=rule, diagnostic=diagnostic)] = None

    @property
    def failed(self) -> bool:
        """Whether there is an error that nothing can silence."""
        return any(f.rule.required and f.diagnostic.severity is Severity.ERROR for f in self._found)


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A hint that names the known word closest to `word`, or says `otherwise`."""
    candidates = sorted(known)
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    if not close:  # a name without its package is close to the whole one
        close = [name for name in candidates if name.rpartition(".")[2] == word.rpartition(".")[2]][:1]
    return f"Did you mean {close[0]!r}?" if close else otherwise
