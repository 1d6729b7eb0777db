from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protomesh.contract.durations import format_duration, parse_duration
from protomesh.runtime.durations import parse_duration as parse_in_runtime


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1ms", timedelta(milliseconds=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("2s", timedelta(seconds=2)),
        ("1.5s", timedelta(milliseconds=1500)),
        ("1m", timedelta(minutes=1)),
        ("24h", timedelta(days=1)),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, duration: timedelta) -> None:
    """Milliseconds, seconds, minutes and hours, with a fraction if need be."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-1s", "1 s", "1S", "1d", "1s500ms", "1e3s", "\u0967s", "1.s", ".5s", "1s\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything a reader could take for something else, signs and spaces included."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=365)))
@example(timedelta(days=12, milliseconds=25))  # more milliseconds than a number may have digits
@example(timedelta(days=1, microseconds=1))
def test_a_service_reads_what_its_contract_says(duration: timedelta) -> None:
    """The runtime imports nothing of the compiler and reads durations by itself: in the same way."""
    written = format_duration(duration)
    assert parse_in_runtime(written) == parse_duration(written) == duration


@given(st.from_regex(r"-?[0-9]{0,11}(\.[0-9]{0,8})?[ _e]?(ms|s|m|h|d|us|S)?\n?", fullmatch=True))
@example("1s500ms")
@example("1s\n")
@example("\u0967s")
def test_the_grammar_is_one_written_twice(text: str) -> None:
    """What one of the two reads, the other reads in the same way. Only a contract has limits."""
    try:
        read = parse_in_runtime(text)
    except ValueError:
        with pytest.raises(ValueError, match="is not a duration"):
            parse_duration(text)
    else:
        if timedelta(milliseconds=1) <= read <= timedelta(days=365):
            assert parse_duration(text) == read
        else:
            with pytest.raises(ValueError, match=r"shorter|longer"):
                parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0.5ms", "0.0001s"])
def test_less_than_a_millisecond_is_refused(text: str) -> None:
    """No call can be answered in it, and Envoy takes zero for no limit at all."""
    with pytest.raises(ValueError, match="shorter than a millisecond"):
        parse_duration(text)


def test_more_than_a_year_is_refused() -> None:
    """It is a slip of the pen, and protobuf's Duration has an end that Envoy refuses its configuration for."""
    assert parse_duration("8760h") == timedelta(days=365)
    with pytest.raises(ValueError, match="longer than a year"):
        parse_duration("999999999h")


@given(st.integers(min_value=1, max_value=10**9))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    """`format_duration` is the inverse for every whole number of milliseconds."""
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


def test_a_duration_is_written_in_its_largest_whole_unit() -> None:
    """As a person would write it."""
    seconds = (0.25, 1, 90, 120, 7200)
    assert [format_duration(timedelta(seconds=s)) for s in seconds] == ["250ms", "1s", "90s", "2m", "2h"]
