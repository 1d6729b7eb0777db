"""What the store tells a caller, and a person who starts something.

protomesh.runtime.errors.StatusError
├── Contended           ABORTED: others wrote for as long as the caller waits
├── RequestIdReused     ALREADY_EXISTS: one request_id, two requests
├── Unconfirmed         UNAVAILABLE: the database went away in the middle of a COMMIT
├── Unreachable         UNAVAILABLE: there is no database to speak with
└── Unstorable          INVALID_ARGUMENT: a text that the database can't keep
protomesh.runtime.cannot_start.CannotStart
└── InUse               what was to be removed is open elsewhere
"""

import grpc
from google.rpc import error_details_pb2

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.errors import StatusError

__all__ = ["Contended", "InUse", "RequestIdReused", "Unconfirmed", "Unreachable", "Unstorable"]

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
    """The database could not be reached, or went away before anything was kept. The worker's log has the reason."""

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE,
            "the database can't be reached; nothing has happened, try again",
            error_details_pb2.ErrorInfo(reason="DATABASE_UNREACHABLE", domain=_DOMAIN),
        )


class Unconfirmed(StatusError):  # noqa: N818 - likewise
    """The database went away while it was told to keep a transaction: nobody can say whether it has.

    UNAVAILABLE, as gRPC means it: a repeat is right where it is safe, so a method with a request_id gets its answer.
    """

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE,
            "the database went away while it kept this; it may have happened",
            error_details_pb2.ErrorInfo(reason="DATABASE_UNCONFIRMED", domain=_DOMAIN),
        )


class Unstorable(StatusError):  # noqa: N818 - likewise
    """PostgreSQL keeps any text but one with the character NUL, which no person means to write."""

    def __init__(self) -> None:
        super().__init__(
            grpc.StatusCode.INVALID_ARGUMENT,
            "a text of the request has the character NUL; send it without",
            error_details_pb2.ErrorInfo(reason="TEXT_WITH_NUL", domain=_DOMAIN),
        )


class InUse(CannotStart):
    """A worker has the database open that was to be removed."""
