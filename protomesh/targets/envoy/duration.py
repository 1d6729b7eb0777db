"""Lengths of time as Envoy and gRPC spell them."""

from datetime import timedelta

__all__ = ["duration", "grpc_timeout"]

_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
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
