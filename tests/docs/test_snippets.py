"""Code in the documentation that is cut from a program which tests run."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
CLIENTS = ROOT / "docs/guides/clients.md"
_BLOCK = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # language, file, code
_LEFT_OUT = re.compile(r"^ *(?://|#) \.\.\.\n", re.MULTILINE)
_CUT = [
    pytest.param(ROOT / file, code, id=f"{page.name}, {file}")
    for page in PAGES
    for _, file, code in _BLOCK.findall(page.read_text())
    if file
]


@pytest.mark.parametrize(("file", "code"), _CUT)
def test_what_a_page_shows_is_in_the_file(file: Path, code: str) -> None:
    """Each part as it stands there, however far indented, between lines that say that something is left out."""
    lines = file.read_text().splitlines()
    parts = [dedent(part).splitlines() for part in _LEFT_OUT.split(code)]

    assert [part for part in parts if not _stands_in(lines, part)] == []


def _stands_in(lines: list[str], part: list[str]) -> bool:
    starts = range(len(lines) - len(part) + 1)
    return any(dedent("\n".join(lines[at : at + len(part)])).splitlines() == part for at in starts)


def test_every_language_that_calls_shows_what_it_runs() -> None:
    """In the guide; what is not cut from a file there is for a shell, or of the two that nothing calls with."""
    uncut = {language for language, file, _ in _BLOCK.findall(CLIENTS.read_text()) if not file}

    assert uncut == {"sh", "csharp", "php"}
