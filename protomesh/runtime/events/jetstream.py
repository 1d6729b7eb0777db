"""From a publisher's outbox into its stream at a broker."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

from google.rpc import code_pb2
from nats.js.api import Header

from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events.broker import Broker, Connection
from protomesh.runtime.events.sender import Answer, Sender
from protomesh.runtime.events.transport import Transport, Undelivered

__all__ = ["BROKER", "JetStreamTransport"]

BROKER = "the broker"
"""What a relay knows its peer by. It is no service's name."""

_ANSWERS_SECONDS = 10.0
# What an event has around it on its way: headers, and the subject.
_AROUND_BYTES = 1024
# JetStream's codes for another last message than the expected one: by its id, by its number.
_WRONG_LAST = frozenset({10070, 10071})

_APPLIED = Result(outcome=Result.OUTCOME_APPLIED)
_HELD_BACK = Result(outcome=Result.OUTCOME_HELD_BACK)


class JetStreamTransport(Transport):
    """Puts events into the publisher's stream, where they wait for each subscriber; then they are delivered.

    They are sent without waiting for each other's answers. Every one says which has to be the stream's last: the first
    of a batch by its number, the others by the id of the one before. So nothing is kept if something before it is not,
    whatever happens between. Its own id has the broker drop what it has already (for two minutes; after that the
    subscriber's inbox does).

    Args:
        broker: Where to.
        publisher: The service.
        subscribers: Who is told, whatever of; each has a consumer before anything is published.
    """

    def __init__(self, broker: Broker, publisher: str, subscribers: Collection[str]) -> None:
        self._broker = broker
        self._publisher = publisher
        self._subscribers = frozenset(subscribers)
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None
        self._sender: Sender | None = None
        self._last: int | None = None  # the number of the last event in the stream, if it is known

    async def deliver(self, peer: str, events: Sequence[Event]) -> Sequence[Result]:
        """Publishes events in their order. One that is too large for the broker fails."""
        del peer
        sent: list[asyncio.Future[Answer] | Result] = []
        try:
            connection, sender, last = await self._ready()
            expected = {Header.EXPECTED_LAST_SEQUENCE.value: str(last)}
            held: set[str] = set()
            for event in events:
                if event.key and event.key in held:
                    sent.append(_HELD_BACK)
                    continue
                payload = event.SerializeToString()
                if len(payload) + _AROUND_BYTES > connection.client.max_payload:
                    held.add(event.key)
                    sent.append(_too_large(payload, connection))
                    continue
                sent.append(await self._send(sender, event, payload, expected))
                expected = {Header.EXPECTED_LAST_MSG_ID.value: event.event_id}
            futures = [one for one in sent if not isinstance(one, Result)]
            await connection.wait(*futures, seconds=_ANSWERS_SECONDS)
            return await self._results(connection, sent)
        except Undelivered:
            await self.close()
            raise
        finally:
            for one in sent:
                if not isinstance(one, Result):
                    one.cancel()

    async def close(self) -> None:
        """Leaves the broker. The next delivery connects again."""
        self._connection, self._sender, self._last = None, None, None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def _ready(self) -> tuple[Connection, Sender, int]:
        if self._connection is None or self._sender is None:
            connection = await self._stack.enter_async_context(self._broker.connected())
            await connection.declare(self._publisher, self._subscribers)
            await connection.withdraw(self._publisher, self._subscribers)
            self._connection, self._sender = connection, await Sender.start(connection)
        if self._last is None:
            self._last = await self._connection.last_sequence(self._publisher)
        return self._connection, self._sender, self._last

    async def _send(
        self, sender: Sender, event: Event, payload: bytes, expected: dict[str, str]
    ) -> "asyncio.Future[Answer]":
        streams = self._broker.streams
        headers = {
            Header.MSG_ID.value: event.event_id,
            Header.EXPECTED_STREAM.value: streams.stream(self._publisher),
            **expected,
        }
        event_type = event.content.type_url.rpartition("/")[2]
        return await sender.send(streams.subject(self._publisher, event_type), payload, headers)

    async def _results(
        self, connection: Connection, sent: "Sequence[asyncio.Future[Answer] | Result]"
    ) -> Sequence[Result]:
        """Results up to the first event that the broker has not kept: what came after that is not kept either."""
        results: list[Result] = []
        for one in sent:
            if isinstance(one, Result):
                results.append(one)
                continue
            answer = one.result() if one.done() else None
            if answer is not None and answer.sequence:
                self._last = None if answer.duplicate or self._last is None else answer.sequence
                results.append(_APPLIED)
                continue
            if answer is not None and answer.error_code in _WRONG_LAST:
                # After events that were there already, or something that another relay has published.
                self._last = None
                fault = Undelivered("ABORTED", "the stream has other events than this relay knows of")
            elif answer is not None:
                fault = Undelivered("UNAVAILABLE", answer.refusal)
            elif connection.lost:
                fault = connection.gone()
            else:
                fault = Undelivered("DEADLINE_EXCEEDED", "the broker does not answer")
            if not results:
                raise fault
            if fault.code != "ABORTED":
                await self.close()
            break
        return results


def _too_large(payload: bytes, connection: Connection) -> Result:
    return Result(
        outcome=Result.OUTCOME_FAILED,
        code=code_pb2.INVALID_ARGUMENT,
        message=f"the event has {len(payload)} bytes with what travels along, and the broker takes messages of "
        f"{connection.client.max_payload}: raise its max_payload",
    )
