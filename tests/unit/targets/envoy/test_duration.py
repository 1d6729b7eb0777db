import re
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from protomesh.targets.envoy.duration import duration, grpc_timeout, up_to

UNITS = {
    "u": timedelta(microseconds=1),
    "m": timedelta(milliseconds=1),
    "S": timedelta(seconds=1),
    "M": timedelta(minutes=1),
    "H": timedelta(hours=1),
}


@settings(deadline=None)  # the machine may be busy
@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_a_duration_is_read_as_what_was_written(length: timedelta) -> None:
    """By protobuf's own JSON."""
    read = Duration()
    read.FromJsonString(duration(length))
    assert read.ToTimedelta() == length


@settings(deadline=None)  # the machine may be busy
@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=1000)))
def test_a_grpc_timeout_has_at_most_eight_digits_and_is_never_longer(length: timedelta) -> None:
    """What its unit can't hold is cut off, by less than a millisecond or a second."""
    text = grpc_timeout(length)
    value, unit = int(text[:-1]), UNITS[text[-1]]
    assert len(text) <= 9
    assert length - unit < value * unit <= length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(milliseconds=300), "300m"),
        (timedelta(seconds=2), "2000m"),
        (timedelta(microseconds=1500), "1500u"),
        (timedelta(days=2), "172800S"),
    ],
)
def test_the_unit_is_the_one_a_reader_expects(length: timedelta, text: str) -> None:
    """Milliseconds, unless there are parts of them or too many."""
    assert grpc_timeout(length) == text


@settings(deadline=None)  # the machine may be busy
@given(
    st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=1)),
    st.integers(min_value=1, max_value=99_999_999),
    st.sampled_from(sorted(UNITS)),
)
def test_what_is_no_longer_is_known_in_any_unit(length: timedelta, value: int, unit: str) -> None:
    """Every shorter one is, and none that is twice as long."""
    matches = re.fullmatch(up_to(length), f"{value}{unit}") is not None
    if value * UNITS[unit] <= length:
        assert matches
    if value * UNITS[unit] >= 2 * length:
        assert not matches


@pytest.mark.parametrize("text", ["", "1", "S", "-1S", "1s", "0x1S", "1.5S", " 1S", "100000000n", "1S,1H"])
def test_what_is_no_length_of_time_is_not_taken_for_one(text: str) -> None:
    """By whatever unit."""
    assert re.fullmatch(up_to(timedelta(hours=2)), text) is None


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=2), "[0-2]S|[0-2]?[0-9]{1,3}m|[0-2]?[0-9]{1,6}u|[0-9]{1,8}n"),
        (timedelta(milliseconds=300), "[0-3]?[0-9]{1,2}m|[0-3]?[0-9]{1,5}u|[0-9]{1,8}n"),
    ],
)
def test_it_reads_so(length: timedelta, text: str) -> None:
    """Small enough for Envoy, which refuses programs of more than a hundred steps."""
    assert up_to(length) == text
