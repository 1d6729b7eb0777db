"""Messages sent to a stream, and what the broker says to each."""

import asyncio
import itertools
import json
from dataclasses import dataclass
from typing import Self

from nats.aio.msg import Msg
from nats.js.api import Header

from protomesh.runtime.events.broker import NO_JETSTREAM, Connection

__all__ = ["Answer", "Sender"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one message."""

    sequence: int = 0  # its number in the stream; 0 if it was refused
    duplicate: bool = False  # it was there already
    error_code: int = 0  # JetStream's own
    refusal: str = ""  # why it was refused, for people


class Sender:
    """Sends without waiting for answers. The client's own `publish_async` never tells of one that is a refusal."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.client.new_inbox()
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    @classmethod
    async def start(cls, connection: Connection) -> Self:
        """Makes it ready on a connection."""
        sender = cls(connection)
        await connection.unless_lost(connection.client.subscribe(f"{sender._inbox}.*", cb=sender._answered))
        return sender

    async def send(self, subject: str, payload: bytes, headers: dict[str, str]) -> "asyncio.Future[Answer]":
        """Sends a message. What is returned is done once the broker has answered, which may never be.

        Raises:
            Undelivered: The connection is lost.
        """
        reply = f"{self._inbox}.{next(self._numbers)}"
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = answer
        answer.add_done_callback(lambda _: self._waiting.pop(reply, None))
        await self._connection.unless_lost(self._connection.client.publish(subject, payload, reply, headers))
        return answer

    async def _answered(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject)
        if waiting is not None and not waiting.done():
            waiting.set_result(_read(message))


def _read(message: Msg) -> Answer:
    if (message.headers or {}).get(Header.STATUS.value):
        return Answer(refusal=NO_JETSTREAM)
    said = json.loads(message.data)
    if error := said.get("error"):
        return Answer(error_code=error.get("err_code", 0), refusal=error.get("description") or "refused")
    return Answer(sequence=said["seq"], duplicate=said.get("duplicate", False))
