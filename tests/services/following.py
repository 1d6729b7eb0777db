"""Streams, read one response at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias, TypeVar

__all__ = ["Following", "following"]

_SOON_SECONDS = 20.0

ResponseT_co = TypeVar("ResponseT_co", covariant=True)
ResponseT = TypeVar("ResponseT")
Following: TypeAlias = AbstractAsyncContextManager[Callable[[], asyncio.Future[ResponseT]]]


class Call(Protocol[ResponseT_co]):
    """A call that answers with a stream."""

    def __aiter__(self) -> AsyncIterator[ResponseT_co]: ...

    def cancel(self) -> object: ...


@asynccontextmanager
async def following(call: Call[ResponseT]) -> AsyncGenerator[Callable[[], "asyncio.Future[ResponseT]"]]:
    """Gives a function that waits for the next response of a stream; the call is cancelled at the end."""
    responses = aiter(call)

    async def following_one() -> ResponseT:
        async with asyncio.timeout(_SOON_SECONDS):
            return await anext(responses)

    try:
        yield lambda: asyncio.ensure_future(following_one())
    finally:
        call.cancel()
