import re
from pathlib import Path

import pytest

from protomesh.contract.lint import RULES
from tests.golden.case import CASES, ERROR, WARNINGS, results, rewrite, written


@pytest.mark.parametrize("case", CASES)
def test_a_project_becomes_what_its_golden_files_say(case: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every file that comes out is there word for word, and no file is there that does not come out."""
    texts = results(case, tmp_path)
    if request.config.getoption("--update-golden"):
        rewrite(case, texts)
    assert texts == written(case)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_case_that_shows_it(rule: str) -> None:
    """A reader finds what a rule reports, and on which line, in a golden case."""
    shown = "".join(text for case in CASES for name, text in written(case).items() if name in {ERROR, WARNINGS})
    assert re.search(rf"^\S+:\d+:\d+: {rule} ", shown, re.MULTILINE)
