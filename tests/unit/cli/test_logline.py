import json

from protomesh.cli.logline import for_programs, for_terminal
from protomesh.supervisor.logs import LogLine

ENTRY = {
    "timestamp": "2026-11-24T12:00:01.250Z",
    "level": "error",
    "event": "lost",
    "method": "GetProduct",
    "text": 'a "b"',
    "exception": "Traceback\n  ValueError",
}


def test_a_structured_line_reads_as_time_event_and_pairs() -> None:
    """An exception follows on lines of its own, each with the prefix."""
    line = for_terminal(LogLine("catalog", json.dumps(ENTRY)), width=9, colour=False)

    assert line.splitlines() == [
        'catalog   | 12:00:01 lost method=GetProduct text="a \\"b\\""',
        "catalog   |   Traceback",
        "catalog   |     ValueError",
    ]


def test_errors_are_red_on_a_terminal() -> None:
    """Colour says what to look at, and no source has that colour."""
    assert "\x1b[31mlost\x1b[0m" in for_terminal(LogLine("catalog", json.dumps(ENTRY)), width=0, colour=True)
    assert "\x1b[31m" not in for_terminal(LogLine("catalog", "text"), width=0, colour=True)


def test_a_plain_line_stays_as_it_is() -> None:
    """Programs in any language write what they like."""
    assert for_terminal(LogLine("rates", "{not json"), width=0, colour=False) == "rates | {not json"


def test_programs_get_one_object_a_line() -> None:
    """With the service's name, whatever the service wrote."""
    assert json.loads(for_programs(LogLine("catalog", json.dumps(ENTRY)))) == {"service": "catalog", **ENTRY}
    assert json.loads(for_programs(LogLine("rates", "hello"))) == {"service": "rates", "event": "hello"}
