from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from protomesh.targets.envoy.duration import duration, grpc_timeout

UNITS = {"u": timedelta(microseconds=1), "m": timedelta(milliseconds=1), "S": timedelta(seconds=1)}


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
