"""Moments as messages have them: google.protobuf.Timestamp."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["timestamp"]


def timestamp(moment: datetime) -> Timestamp:
    """The same moment. One without a time zone is taken for UTC."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made
