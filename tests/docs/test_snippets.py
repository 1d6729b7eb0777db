"""Code in the documentation that is cut from a program which tests run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
_CUT = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)  # the language, and the file it is from
_LEFT_OUT = re.compile(r"^ *(?://|#) \.\.\.\n", re.MULTILINE)
SNIPPETS = [
    pytest.param(ROOT / file, code, id=f"{page.name}, {file}")
    for page in PAGES
    for file, code in _CUT.findall(page.read_text())
]


@pytest.mark.parametrize(("file", "code"), SNIPPETS)
def test_what_a_page_shows_is_in_the_file(file: Path, code: str) -> None:
    """Each part whole, as it stands there, between lines that say that something is left out."""
    text = file.read_text()

    assert [part for part in _LEFT_OUT.split(code) if part not in text] == []
