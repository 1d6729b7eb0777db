"""A channel whose certificate is renewed: new calls go by a new one, those in progress end on the old."""

import asyncio
from collections.abc import Callable
from typing import Any

from grpc import aio

from protomesh.runtime.identity import Identity, IdentityFiles

__all__ = ["RenewedChannel"]

_LOOKS = 1.0  # seconds between two looks at the files; certificates are renewed long before they end


class RenewedChannel:
    """Takes the place of a channel under generated stubs.

    gRPC keeps the certificate that a channel was made with. A call looks whether there is a newer one, at most once a
    second; the channel of the older one is closed when its last call has ended.

    Args:
        files: The identity to show.
        connect: Makes a channel that shows an identity.
    """

    def __init__(self, files: IdentityFiles, connect: Callable[[Identity], aio.Channel]) -> None:
        self._files = files
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._current = _Generation(connect(files.read()))
        self._former: set[_Generation] = set()
        self._looked = self._loop.time()
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Called by a stub's constructor."""
        return self._callable("unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Called by a stub's constructor."""
        return self._callable("unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Called by a stub's constructor."""
        return self._callable("stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Called by a stub's constructor."""
        return self._callable("stream_stream", method, args, kwargs)

    async def close(self) -> None:
        """Ends every call that is in progress."""
        await asyncio.gather(*self._closing)
        for generation in (self._current, *self._former):
            await generation.channel.close()

    def _callable(self, kind: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[..., Any]:
        made_for: _Generation | None = None
        start: Callable[..., Any] | None = None

        def call(*request: Any, **options: Any) -> Any:
            nonlocal made_for, start
            generation = self._newest()
            if start is None or made_for is not generation:
                made_for, start = generation, getattr(generation.channel, kind)(method, *args, **kwargs)
            started = start(*request, **options)
            generation.calls += 1
            started.add_done_callback(lambda _: self._ended(generation))
            return started

        return call

    def _newest(self) -> "_Generation":
        now = self._loop.time()
        if now - self._looked >= _LOOKS:
            self._looked = now
            identity = self._files.changed()
            if identity is not None:
                former, self._current = self._current, _Generation(self._connect(identity))
                self._former.add(former)
                self._retire(former)
        return self._current

    def _ended(self, generation: "_Generation") -> None:
        generation.calls -= 1
        self._retire(generation)

    def _retire(self, generation: "_Generation") -> None:
        if generation in self._former and not generation.calls:
            self._former.discard(generation)
            closing = self._loop.create_task(generation.channel.close(), name="close a channel")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Generation:
    """A channel, and how many calls are in progress on it."""

    __slots__ = ("calls", "channel")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.calls = 0
