"""Lengths of time as Envoy and gRPC spell them."""

from datetime import timedelta

__all__ = ["duration", "grpc_timeout", "up_to"]

_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = {
    "H": timedelta(hours=1),
    "M": timedelta(minutes=1),
    "S": timedelta(seconds=1),
    "m": _MILLISECOND,
    "u": _MICROSECOND,
}
_DIGITS = 8  # that a value of grpc-timeout has at most
_LARGEST = 99_999_999  # the value of grpc-timeout has at most 8 digits


def duration(length: timedelta) -> str:
    """A google.protobuf.Duration in JSON: "2s", "0.3s"."""
    whole, microseconds = divmod(length // _MICROSECOND, 1_000_000)
    return f"{whole}.{microseconds:06d}".rstrip("0").rstrip(".") + "s"


def grpc_timeout(length: timedelta) -> str:
    """The value of the header grpc-timeout: "300m" is 300 milliseconds.

    https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    """
    if length % _MILLISECOND and length // _MICROSECOND <= _LARGEST:
        return f"{length // _MICROSECOND}u"
    if length // _MILLISECOND <= _LARGEST:
        return f"{length // _MILLISECOND}m"
    return f"{min(length // timedelta(seconds=1), _LARGEST)}S"


def up_to(length: timedelta) -> str:
    """A regex of the values of grpc-timeout that are no longer, in whatever unit.

    It looks at the number of digits and the first one, and so takes some that are up to twice as long: exactly, it
    would be too large for Envoy, and slow.
    """
    choices = [_number_up_to(length // unit) + name for name, unit in _UNITS.items() if length >= unit]
    nanoseconds = length // _MICROSECOND * 1000
    return "|".join([*choices, f"{_number_up_to(nanoseconds)}n"])


def _number_up_to(most: int) -> str:
    text = str(most)
    rest = len(text) - 1
    if rest >= _DIGITS:
        return f"[0-9]{{1,{_DIGITS}}}"
    return f"[0-{text[0]}]" if rest == 0 else f"[0-{text[0]}]?[0-9]{{1,{rest}}}"
