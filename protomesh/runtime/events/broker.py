"""A broker, NATS JetStream, as services see it: connections to it, and what streams and consumers they need there.

A service that publishes has a stream of its own, and each subscriber has a durable consumer of it. The stream keeps an
event until every consumer has acknowledged it. Needs the extra `protomesh[nats]`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from protomesh.runtime.events.broker_url import BrokerUrl
from protomesh.runtime.events.transport import Undelivered

__all__ = ["NO_JETSTREAM", "Broker", "Connection", "Streams", "reason_of"]

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_PING_SECONDS = 5
# How many events a subscriber may have taken and not yet acknowledged, and for how long before they come again.
_MAX_UNACKNOWLEDGED = 2000
_ACKNOWLEDGED_WITHIN_SECONDS = 30.0
_OURS = "a subscriber of a Protomesh mesh"

NO_JETSTREAM = "nothing answers for JetStream there: run nats-server with --jetstream, and look at its log"

T = TypeVar("T")


class Streams:
    """How what a mesh needs is called at its broker. `prefix` keeps meshes apart that share one."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def stream(self, publisher: str) -> str:
        """The stream of what a service publishes. No name of a mesh or a service has an underscore."""
        return f"{self._prefix}_{publisher}"

    def subject(self, publisher: str, event_type: str) -> str:
        """The subject of one kind of event."""
        return f"{self._prefix}.{publisher}.{event_type}"


class Broker:
    """A place to connect to."""

    def __init__(self, url: BrokerUrl, streams: Streams, client_name: str) -> None:
        self._url = url
        self.streams = streams
        self._name = client_name

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator["Connection"]:
        """A connection for a block. It is never mended: what is sent after a gap could overtake what the gap took.

        Raises:
            Undelivered: The broker is not there, or refuses.
        """
        client = Client()
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reasons: list[str] = []

        async def failed(error: Exception) -> None:
            reasons.append(reason_of(error))

        async def closed() -> None:
            if not lost.done():
                lost.set_result(None)

        try:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await client.connect(
                        self._url.servers,
                        name=self._name,
                        error_cb=failed,
                        closed_cb=closed,
                        allow_reconnect=False,
                        connect_timeout=2,
                        reconnect_time_wait=0,
                        max_reconnect_attempts=1,  # for each server, before the first connection
                        ping_interval=_PING_SECONDS,
                        user=self._url.user,
                        password=self._url.password,
                        token=self._url.token,
                    )
            except (Error, OSError, TimeoutError) as error:
                raise Undelivered("UNAVAILABLE", f"{self._url}: {(reasons or [reason_of(error)])[-1]}") from error
            yield Connection(client, lost, reasons, self.streams)
        finally:
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):  # it waits for an end of TLS that may never come
                    await client.close()


class Connection:
    """One connection, for as long as it lasts."""

    def __init__(self, client: Client, lost: "asyncio.Future[None]", reasons: list[str], streams: Streams) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=_ANSWER_SECONDS)
        self._lost = lost
        self._reasons = reasons
        self._streams = streams

    async def unless_lost(self, awaitable: Awaitable[T]) -> T:
        """What something gives that the broker has to answer.

        Raises:
            Undelivered: The connection, or the broker's patience, ended before, or it refuses.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            await self.wait(task)
            if not task.done() or task.cancelled():  # the client cancels what waits when it is closed
                raise self.gone()
            return task.result()
        except (NatsTimeoutError, TimeoutError) as error:
            raise Undelivered("DEADLINE_EXCEEDED", "the broker does not answer") from error
        except Error as error:
            raise Undelivered("UNAVAILABLE", reason_of(error)) from error
        finally:
            task.cancel()

    async def wait(self, *futures: "asyncio.Future[Any]", seconds: float | None = None) -> None:
        """Returns when all are done, the connection is lost, or the time is up."""
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        waiting = set(futures)
        while waiting and not self._lost.done():
            left = None if end is None else end - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return
            await asyncio.wait({*waiting, self._lost}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            waiting = {future for future in waiting if not future.done()}

    @property
    def lost(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._lost.done()

    def gone(self) -> Undelivered:
        """What to say when the connection is lost."""
        return Undelivered("UNAVAILABLE", (self._reasons or ["the connection to the broker is lost"])[-1])

    async def declare(self, publisher: str, subscribers: Collection[str]) -> None:
        """Sees to it that a publisher has its stream, and each of these subscribers its consumer there.

        A stream that is there is left as it is: who runs the broker may give it replicas and limits.
        """
        stream = self._streams.stream(publisher)
        try:
            await self.unless_lost(_found(self.jetstream.stream_info(stream)))
        except LookupError:
            config = StreamConfig(
                name=stream,
                subjects=[self._streams.subject(publisher, ">")],
                retention=RetentionPolicy.INTEREST,
                storage=StorageType.FILE,
            )
            await self.unless_lost(self.jetstream.add_stream(config))
        for subscriber in sorted(subscribers):
            try:
                await self.unless_lost(_found(self.jetstream.consumer_info(stream, subscriber)))
            except LookupError:
                await self.unless_lost(
                    self.jetstream.add_consumer(
                        stream,
                        ConsumerConfig(
                            durable_name=subscriber,
                            description=_OURS,
                            ack_policy=AckPolicy.ALL,
                            ack_wait=_ACKNOWLEDGED_WITHIN_SECONDS,
                            deliver_policy=DeliverPolicy.ALL,
                            max_ack_pending=_MAX_UNACKNOWLEDGED,
                        ),
                    )
                )

    async def withdraw(self, publisher: str, subscribers: Collection[str]) -> None:
        """Removes the consumers of services that subscribe no more: the stream would keep every event for them."""
        stream = self._streams.stream(publisher)
        for consumer in await self.unless_lost(self.jetstream.consumers_info(stream)):
            if consumer.config.description == _OURS and consumer.name not in subscribers:
                with suppress(LookupError):
                    await self.unless_lost(_found(self.jetstream.delete_consumer(stream, consumer.name)))

    async def last_sequence(self, publisher: str) -> int:
        """The number of the last event in a publisher's stream."""
        info = await self.unless_lost(self.jetstream.stream_info(self._streams.stream(publisher)))
        return info.state.last_seq


async def _found(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except NotFoundError:
        raise LookupError from None


def reason_of(error: Exception) -> str:
    """What an error of the client says, for people."""
    if isinstance(error, NoRespondersError | NoStreamResponseError | ServiceUnavailableError):
        return NO_JETSTREAM
    if isinstance(error, APIError):
        return f"{error.description or error.code}"
    return str(error) or type(error).__name__
