from pathlib import Path

from protomesh.contract.ignores import silence
from protomesh.contract.report import Report, Rule
from protomesh.model import Origin

TASTE = Rule(id="TASTE", means="It could be nicer.", required=False)
STYLE = Rule(id="STYLE", means="It could be neater.", required=False)
SAFETY = Rule(id="SAFETY", means="It would break.")
RULES = {rule.id: rule for rule in (TASTE, STYLE, SAFETY)}


def test_an_ignore_speaks_of_its_own_line(tmp_path: Path) -> None:
    """Behind the code, in a contract or in YAML."""
    text = "one\ntwo // protomesh:ignore TASTE as it was\nthree # protomesh:ignore TASTE as it was\n"
    assert left(tmp_path, text, (TASTE, 1), (TASTE, 2), (TASTE, 3)) == (["f:1 TASTE"], 2)


def test_an_ignore_on_a_line_of_its_own_speaks_of_the_next_one(tmp_path: Path) -> None:
    """Other comments may stand between, so that several rules can be silenced and the doc comment stays."""
    text = "// protomesh:ignore TASTE x\n  // Says what it is.\n  // protomesh:ignore STYLE y\n  rpc\n  rpc\n"
    assert left(tmp_path, text, (TASTE, 4), (STYLE, 4), (TASTE, 5)) == (["f:5 TASTE"], 2)


def test_only_the_named_rule_is_silenced(tmp_path: Path) -> None:
    """The rest of the line is looked at as before, and the ignore that silences nothing is told."""
    assert left(tmp_path, "x // protomesh:ignore TASTE y\n", (STYLE, 1)) == (["f:1 STYLE", "f:1 UNUSED_IGNORE"], 0)


def test_what_the_mesh_needs_is_not_silenced(tmp_path: Path) -> None:
    """The finding stays, and the ignore is a mistake of its own."""
    assert left(tmp_path, "x // protomesh:ignore SAFETY y\n", (SAFETY, 1)) == (["f:1 SAFETY", "f:1 IGNORE_REFUSED"], 0)


def test_an_ignore_without_a_rule_or_a_reason_is_a_mistake(tmp_path: Path) -> None:
    """Nobody could tell later what it was for."""
    text = "x // protomesh:ignore\ny // protomesh:ignore TASTE\n"
    assert left(tmp_path, text, (TASTE, 2)) == (["f:1 IGNORE_UNKNOWN_RULE", "f:2 IGNORE_WITHOUT_REASON"], 1)


def left(root: Path, text: str, *found: tuple[Rule, int]) -> tuple[list[str], int]:
    """Silences findings in a file: what is left, as "file:line RULE", and how many were silenced."""
    (root / "f").write_text(text)
    report = Report()
    for rule, line in found:
        report.add(rule, Origin(file="f", line=line), "it is so", "Change it.")
    findings, silenced = silence(root, ["f"], report, RULES)
    diagnostics = [finding.diagnostic for finding in findings]
    return [f"{d.origin.file}:{d.origin.line} {d.rule}" for d in diagnostics], silenced
