"""Problems, as a user sees them."""

import pytest

from protomesh.diagnostics import InvalidProject, Problems
from protomesh.model import Origin


def test_problems_are_shown_once_each_in_the_order_of_the_files() -> None:
    """A rule that two steps find is one problem, and line 2 comes before line 10."""
    problems = Problems()
    problems.error(Origin(file="b.proto", line=10), "LATE", "it is late", "Hurry.")
    problems.error(Origin(file="b.proto", line=2, column=5), "EARLY", "it is early", "Wait.")
    problems.error(Origin(file="b.proto", line=10), "LATE", "it is late", "Hurry.")
    assert [str(p) for p in problems] == [
        "b.proto:2:5: EARLY it is early. Wait.",
        "b.proto:10:1: LATE it is late. Hurry.",
    ]


def test_a_warning_does_not_stop_the_work() -> None:
    """It is shown, and nothing is raised."""
    problems = Problems()
    problems.warning(Origin(file="a.proto"), "ODD", "this is odd", "Look at it.")
    problems.raise_if_any()
    assert len(problems.warnings) == 1


def test_errors_are_raised_together() -> None:
    """The exception holds every problem and its text every error."""
    problems = Problems()
    for line in (1, 2):
        problems.error(Origin(file="a.proto", line=line), "BAD", "this is bad", "Mend it.")
    with pytest.raises(InvalidProject) as raised:
        problems.raise_if_any()
    assert raised.value.problems is problems
    assert str(raised.value).count("BAD") == 2
