"""What the store tells a caller, and a person who starts something.

protomesh.runtime.errors.StatusError
├── Contended           ABORTED: others wrote for as long as the caller waits
├── RequestIdReused     ALREADY_EXISTS: one request_id, two requests
└── Unreachable         UNAVAILABLE: there is no database to speak with
protomesh.runtime.cannot_start.CannotStart
└── InUse               what was to be removed is open elsewhere
"""

import grpc
from google.rpc import error_details_pb2

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.errors import StatusError

__all__ = ["Contended", "InUse", "RequestIdReused", "Unreachable"]

_DOMAIN = "protomesh"


class Contended(StatusError):  # noqa: N818 - it says what happened
    """The database was in use for as long as the caller waits. Nothing has happened; trying again may help."""

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.ABORTED,
            "the database is in use by others; nothing has happened, try again",
            error_details_pb2.ErrorInfo(reason="DATABASE_CONTENDED", domain=_DOMAIN),
        )


class RequestIdReused(StatusError):  # noqa: N818 - likewise
    """A request_id came again with another request: the caller has to make a new one for it."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            grpc.StatusCode.ALREADY_EXISTS,
            f"request_id {request_id} was used for another request; make a new one",
            error_details_pb2.ErrorInfo(reason="REQUEST_ID_REUSED", domain=_DOMAIN),
        )


class Unreachable(StatusError):  # noqa: N818 - likewise
    """The database could not be reached before anything was done. The worker's log has the reason."""

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE,
            "the database can't be reached; nothing has happened, try again",
            error_details_pb2.ErrorInfo(reason="DATABASE_UNREACHABLE", domain=_DOMAIN),
        )


class InUse(CannotStart):
    """A worker has the database open that was to be removed."""
