"""What a handler may know about the call that it answers."""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from grpc.aio import ServicerContext

from protomesh.runtime.current import FORWARDED, Metadatum, Scope
from protomesh.runtime.drain import Drain
from protomesh.runtime.errors import StatusError
from protomesh.runtime.method import Method
from protomesh.runtime.user import CALLER, User, user_of

__all__ = ["Context"]

# gRPC rounds a deadline up when it sends it, by up to a hundredth (its core's Timeout): a caller that sends the
# contract's own deadline, as most do, needs no second timer.
_AS_LONG = 1.01


class Context(Scope):
    """The call in progress, as the second argument of every handler.

    It is smaller than grpc's own context on purpose: a handler ends a call by returning or raising, and what it calls
    gets deadline, trace and user by itself.
    """

    __slots__ = ("_call", "_drain", "_forwarded", "_metadata", "_trailing", "_user", "capped")

    def __init__(
        self, call: ServicerContext[Any, Any], method: Method, drain: Drain, loop: asyncio.AbstractEventLoop
    ) -> None:
        remaining: float | None = call.time_remaining()
        timeout = method.timeout
        self.capped = False
        if timeout is not None and (remaining is None or remaining > timeout):
            self.capped = remaining is None or remaining > timeout * _AS_LONG
            remaining = timeout
        self.method = method.full_name
        self.loop_deadline = None if remaining is None else loop.time() + remaining
        self._call = call
        self._drain = drain
        self._metadata: Mapping[str, str | bytes] | None = None
        self._forwarded: tuple[Metadatum, ...] | None = None
        self._user: User | None = None
        self._trailing: tuple[Metadatum, ...] = ()

    @property
    def user(self) -> User | None:
        """On whose behalf the call is made. None where the contract asks for no user."""
        if self._user is None:
            self._user = user_of(self.metadata)
        return self._user

    def require_user(self) -> User:
        """The user. A call on nobody's behalf ends here.

        The edge lets no call of a USER method in without a token; a service or the operator may have none to act for.

        Raises:
            StatusError: UNAUTHENTICATED.
        """
        user = self.user
        if user is None:
            raise StatusError(grpc.StatusCode.UNAUTHENTICATED, f"{self.method} is called on behalf of a user")
        return user

    @property
    def caller(self) -> str | None:
        """The service of the mesh that calls, by its name in mesh.yaml; None for a call from outside."""
        caller = self.metadata.get(CALLER)
        return caller if isinstance(caller, str) and caller else None

    @property
    def draining(self) -> bool:
        """Whether this worker is about to end. Endless streams are ended for the handler; it need not ask."""
        return self._drain.begun

    @property
    def time_remaining(self) -> timedelta | None:
        """What is left until the caller's deadline or the contract's, whichever is first; None if there is neither."""
        if self.loop_deadline is None:
            return None
        return timedelta(seconds=max(0.0, self.loop_deadline - asyncio.get_running_loop().time()))

    @property
    def deadline(self) -> datetime | None:
        """That deadline as a time, in UTC."""
        remaining = self.time_remaining
        return None if remaining is None else datetime.now(UTC) + remaining

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The metadata that came with the call; of a key that came twice, the last value."""
        if self._metadata is None:
            self._metadata = dict(self._call.invocation_metadata() or ())
        return self._metadata

    @property
    def forwarded(self) -> tuple[Metadatum, ...]:
        """What travels on with the calls that the handler makes. A request without an id gets one."""
        if self._forwarded is None:
            carried = [(key, value) for key, value in self.metadata.items() if key in FORWARDED]
            if "x-request-id" not in self.metadata:
                carried.append(("x-request-id", str(uuid.uuid4())))
            self._forwarded = tuple(carried)
        return self._forwarded

    @property
    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        """What `add_trailing_metadata` has been given."""
        return self._trailing

    def add_trailing_metadata(self, key: str, value: str | bytes) -> None:
        """Sends a value after the answer, or with the error. Keys that end in -bin take bytes, the others text."""
        self._trailing = (*self._trailing, (key, value))
        self._call.set_trailing_metadata(self._trailing)
