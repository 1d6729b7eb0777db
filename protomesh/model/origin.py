"""Where a fact was written."""

from dataclasses import dataclass

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Origin:
    """A place in one of the user's own files, for messages that a person follows back.

    `file` is relative to the project directory where it lies inside it, with forward slashes; `line` and `column`
    count from 1, as editors do.
    """

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
