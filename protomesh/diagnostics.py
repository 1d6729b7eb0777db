"""Problems in what a user wrote: collected as data, shown all at once, each saying what to do.

InvalidProject
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protomesh.model.origin import Origin

__all__ = ["Diagnostic", "InvalidProject", "Problems", "Severity"]


class Severity(enum.StrEnum):
    """Whether a problem stops the work."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem: where it is, which rule found it, what is wrong and what to do about it."""

    origin: Origin
    rule: str  # UPPER_SNAKE, as buf spells its rules: UNARY_WITHOUT_DEADLINE
    message: str  # what is wrong; lower case, no full stop
    hint: str  # what to do; a sentence
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.origin}: {self.rule} {self.message}. {self.hint}"


class Problems:
    """Collects diagnostics, so that a user sees every problem and not only the first."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    def __iter__(self) -> Iterator[Diagnostic]:
        """Yields each distinct diagnostic once, in the order of the files."""
        return iter(sorted(self._found, key=lambda d: (d.origin, d.rule, d.message)))

    def __len__(self) -> int:
        return len(self._found)

    def error(self, origin: Origin, rule: str, message: str, hint: str) -> None:
        """Adds a problem that stops the work."""
        self._found[Diagnostic(origin=origin, rule=rule, message=message, hint=hint)] = None

    def warning(self, origin: Origin, rule: str, message: str, hint: str) -> None:
        """Adds a problem that the user should know of and the work goes on with."""
        self._found[Diagnostic(origin=origin, rule=rule, message=message, hint=hint, severity=Severity.WARNING)] = None

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Adds what another step found."""
        self._found.update(dict.fromkeys(diagnostics))

    @property
    def errors(self) -> list[Diagnostic]:
        """The problems that stop the work, in the order of the files."""
        return [d for d in self if d.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        """The problems that do not stop the work, in the order of the files."""
        return [d for d in self if d.severity is Severity.WARNING]

    def raise_if_any(self) -> None:
        """Raises InvalidProject if there is any error."""
        if self.errors:
            raise InvalidProject(self)


class InvalidProject(Exception):  # noqa: N818 - it names a state of the user's project, not a failure of ours
    """The contracts or mesh.yaml have errors; `problems` holds all of them."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("\n".join(str(d) for d in problems.errors))
