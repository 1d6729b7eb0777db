"""What the store tells a caller.

protomesh.runtime.errors.StatusError
├── Contended           ABORTED: others wrote for as long as the caller waits
└── RequestIdReused     ALREADY_EXISTS: one request_id, two requests
"""

import grpc
from google.rpc import error_details_pb2

from protomesh.runtime.errors import StatusError

__all__ = ["Contended", "RequestIdReused"]

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
