"""Asking a consumer at a broker for what is next."""

import asyncio
import json
from typing import Self

from nats.aio.msg import Msg
from nats.js.api import Header

from protomesh.runtime.events.broker import Connection
from protomesh.runtime.events.transport import Undelivered

__all__ = ["Pull"]

_BATCH = 256
_BATCH_BYTES = 8 * 1024 * 1024
_EXPIRES_SECONDS = 20.0
_API = "$JS.API.CONSUMER.MSG.NEXT"

# No messages, the request has expired, or what is next does not fit into it: ask again.
_OVER = frozenset({"404", "408"})
_TOO_LARGE = "Message Size Exceeds MaxBytes"


class Pull:
    """A standing request to one consumer: answered as soon as there is anything, and made again when it is used up.

    The client's own `fetch` waits for a whole batch where a server answers as 2.9 does.
    """

    def __init__(self, connection: Connection, stream: str, consumer: str) -> None:
        self._connection = connection
        self._subject = f"{_API}.{stream}.{consumer}"
        self._inbox = connection.client.new_inbox()
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._left = 0  # what the request still lets come

    @classmethod
    async def start(cls, connection: Connection, stream: str, consumer: str) -> Self:
        """Makes it ready; nothing is asked for yet."""
        pull = cls(connection, stream, consumer)
        await connection.unless_lost(connection.client.subscribe(pull._inbox, cb=pull._arrived.put))
        return pull

    async def next(self) -> list[Msg]:
        """Waits for messages, and returns those that are there; at least one.

        Raises:
            Undelivered: The connection is lost, or the consumer or the stream is not there any more.
        """
        while True:
            if self._left <= 0:
                await self._ask()
            messages = await self._wait()
            if messages:
                return messages

    async def _ask(self) -> None:
        request = {
            "batch": _BATCH,
            "max_bytes": _BATCH_BYTES,
            "expires": int(_EXPIRES_SECONDS * 1_000_000_000),
        }
        client = self._connection.client
        await self._connection.unless_lost(client.publish(self._subject, json.dumps(request).encode(), self._inbox))
        self._left = _BATCH

    async def _wait(self) -> list[Msg]:
        first = asyncio.ensure_future(self._arrived.get())
        try:
            await self._connection.wait(first, seconds=_EXPIRES_SECONDS + 5)
            if not first.done():
                if self._connection.lost:
                    raise self._connection.gone()
                self._left = 0  # the request, or its end, got lost
                return []
        finally:
            first.cancel()
        messages: list[Msg] = []
        arrived = first.result()
        while True:
            if self._is_event(arrived):
                messages.append(arrived)
            if self._arrived.empty():
                return messages
            arrived = self._arrived.get_nowait()

    def _is_event(self, message: Msg) -> bool:
        status = (message.headers or {}).get(Header.STATUS.value)
        if status is None:
            self._left -= 1
            return True
        said = (message.headers or {}).get(Header.DESCRIPTION.value, "")
        self._left = 0
        if status not in _OVER and said != _TOO_LARGE:
            raise Undelivered("UNAVAILABLE", f"the broker says {said or status}")
        return False
