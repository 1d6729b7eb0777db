"""What is between a relay and a broker, and between a broker and an inbox, in the cases that seldom happen."""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest
from google.protobuf.wrappers_pb2 import Int64Value
from google.rpc import code_pb2
from nats.js.api import ConsumerConfig
from sqlalchemy import select
from structlog.testing import capture_logs

from protomesh.control.authority import Authority
from protomesh.events.v1.event_consumer_service_pb2 import Event, Result
from protomesh.runtime.events import Retries
from protomesh.runtime.events.broker import Broker, Streams
from protomesh.runtime.events.broker_url import BrokerUrl
from protomesh.runtime.events.intake import Intake
from protomesh.runtime.events.jetstream import BROKER, JetStreamTransport
from protomesh.runtime.events.tables import INCOMING
from protomesh.runtime.events.transport import Undelivered
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.nats import NatsServer, nats_program, running_nats

APPLIED, FAILED, HELD_BACK = Result.OUTCOME_APPLIED, Result.OUTCOME_FAILED, Result.OUTCOME_HELD_BACK
WANTED = {"google.protobuf.Int64Value"}
STREAM = "tests_bakery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A broker."""
    with running_nats(tmp_path_factory.mktemp("nats")) as started:
        yield started


@pytest.fixture
async def broker(server: NatsServer) -> Broker:
    """It, as a service sees it, with nothing in it."""
    async with client(server.url) as connection:
        js = connection.jetstream()
        for info in await js.streams_info():
            await js.delete_stream(info.config.name)
    return broker_at(server.url)


def broker_at(url: str) -> Broker:
    """What a service makes of a URL."""
    return Broker(BrokerUrl.read(url), Streams("tests"), "bakery")


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Any]:
    """Somebody who has nothing to do with the mesh."""
    connection = await nats.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def publishing(broker: Broker, *subscribers: str) -> AsyncIterator[JetStreamTransport]:
    """A relay's way to the broker."""
    transport = JetStreamTransport(broker, "bakery", subscribers or ["shelf"])
    try:
        yield transport
    finally:
        await transport.close()


def event(number: int, *, key: str = "k", size: int = 0) -> Event:
    """One of many, of a size."""
    made = Event(event_id=str(uuid.uuid4()), key=key, metadata={"padding": "x" * size} if size else {})
    made.content.Pack(Int64Value(value=number))
    made.create_time.GetCurrentTime()
    return made


def outcomes(results: Sequence[Result]) -> list[Any]:
    """Without what they say."""
    return [result.outcome for result in results]


async def in_stream(server: NatsServer) -> list[int]:
    """The numbers of the events that the stream has, in order."""
    async with client(server.url) as connection:
        js = connection.jetstream()
        info = await js.stream_info(STREAM)
        found: list[int] = []
        for sequence in range(info.state.first_seq, info.state.last_seq + 1):
            content = Event.FromString((await js.get_msg(STREAM, sequence)).data).content
            found.append(Int64Value.FromString(content.value).value)
        return found


async def test_what_is_there_already_is_delivered(server: NatsServer, broker: Broker) -> None:
    """A relay died after the broker had kept its events and before it had noted it: they are kept once."""
    events = [event(number) for number in range(10)]
    async with publishing(broker) as relay:
        assert outcomes(await relay.deliver(BROKER, events[:6])) == [APPLIED] * 6
    async with publishing(broker) as relay:
        assert outcomes(await relay.deliver(BROKER, events)) == [APPLIED] * 10
        assert outcomes(await relay.deliver(BROKER, [event(10)])) == [APPLIED]
    assert await in_stream(server) == list(range(11))


async def test_a_relay_that_is_one_no_more_is_refused(server: NatsServer, broker: Broker) -> None:
    """It knows an older last event than there is, so nothing of it is kept until it has looked."""
    async with publishing(broker) as old, publishing(broker) as new:
        assert outcomes(await old.deliver(BROKER, [event(1)])) == [APPLIED]
        assert outcomes(await new.deliver(BROKER, [event(2)])) == [APPLIED]
        with pytest.raises(Undelivered, match="ABORTED"):
            await old.deliver(BROKER, [event(3), event(4)])
        assert await in_stream(server) == [1, 2]
        assert outcomes(await old.deliver(BROKER, [event(3), event(4)])) == [APPLIED] * 2
    assert await in_stream(server) == [1, 2, 3, 4]


async def test_an_event_too_large_for_the_broker_fails_alone(server: NatsServer, broker: Broker) -> None:
    """With its key; it becomes a dead letter at the publisher, which says what to raise."""
    events = [event(1), event(2, size=1024 * 1024), event(3), event(4, key="other")]
    async with publishing(broker) as relay:
        results = await relay.deliver(BROKER, events)
    assert outcomes(results) == [APPLIED, FAILED, HELD_BACK, APPLIED]
    assert results[1].code == code_pb2.INVALID_ARGUMENT
    assert "raise its max_payload" in results[1].message
    assert await in_stream(server) == [1, 4]


async def test_who_subscribes_no_more_is_not_waited_for(server: NatsServer, broker: Broker) -> None:
    """Its consumer goes when the publisher comes without it; one that somebody else has made stays."""
    async with publishing(broker, "shelf", "bell") as relay:
        await relay.deliver(BROKER, [event(1)])
    async with client(server.url) as connection:
        await connection.jetstream().add_consumer(STREAM, ConsumerConfig(durable_name="analytics"))
    async with publishing(broker, "shelf") as relay:
        await relay.deliver(BROKER, [event(2)])
    async with client(server.url) as connection:
        consumers = await connection.jetstream().consumers_info(STREAM)
    assert sorted(consumer.name for consumer in consumers) == ["analytics", "shelf"]


@asynccontextmanager
async def taking(database: Database, broker: Broker) -> AsyncIterator[None]:
    """A worker of the shelf takes over what the bakery publishes, for a block."""
    intake = Intake(database, broker, "bakery", "shelf", WANTED, retries=Retries())
    task = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def taken(database: Database) -> list[int]:
    """The numbers of the events that were taken over, in order."""
    async with database.read() as tx:
        contents = await tx.scalars(select(INCOMING.c.content).order_by(INCOMING.c.sequence))
        return [Int64Value.FromString(content).value for content in contents]


async def until(condition: Callable[[], Any]) -> None:
    """Waits for something; a test fails if it does not come."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_what_died_with_a_worker_comes_before_what_is_new(
    server: NatsServer, broker: Broker, database: Databases
) -> None:
    """The broker would hand it out again half a minute later, behind the rest."""
    shelf = await database("protomesh.runtime.store")
    async with publishing(broker) as relay:
        await relay.deliver(BROKER, [event(number) for number in range(10)])
        async with client(server.url) as connection:  # it takes some, acknowledges the first two, and dies
            dying = await connection.jetstream().pull_subscribe_bind(consumer="shelf", stream=STREAM)
            messages = await dying.fetch(7, timeout=10)
            assert len(messages) == 7
            await messages[1].ack_sync()
        await relay.deliver(BROKER, [event(number) for number in range(10, 20)])

    async def all_of_them() -> bool:
        return await taken(shelf) == list(range(2, 20))

    async with taking(shelf, broker):
        await until(all_of_them)

        async def released() -> bool:
            async with client(server.url) as connection:
                info = await connection.jetstream().stream_info(STREAM)
                return bool(info.state.messages == 0)

        await until(released)


async def test_what_somebody_has_removed_is_not_waited_for(
    server: NatsServer, broker: Broker, database: Databases
) -> None:
    """From the middle of the stream, or all that was at its beginning."""
    shelf = await database("protomesh.runtime.store")
    async with publishing(broker) as relay:
        await relay.deliver(BROKER, [event(number) for number in range(1, 11)])
    async with client(server.url) as connection:
        js = connection.jetstream()
        await js.purge_stream(STREAM, seq=4)
        await js.delete_msg(STREAM, 7)

    async def the_others() -> bool:
        return await taken(shelf) == [4, 5, 6, 8, 9, 10]

    async with taking(shelf, broker):
        await until(the_others)


async def test_a_consumer_that_is_removed_is_made_again(
    server: NatsServer, broker: Broker, database: Databases
) -> None:
    """Somebody cleans up at the broker while the worker waits there."""
    shelf = await database("protomesh.runtime.store")
    async with publishing(broker, "shelf", "bell") as relay, taking(shelf, broker):
        await relay.deliver(BROKER, [event(1)])

        async def first() -> bool:
            return await taken(shelf) == [1]

        await until(first)
        async with client(server.url) as connection:
            js = connection.jetstream()
            await js.delete_consumer(STREAM, "shelf")

            async def again() -> bool:
                return "shelf" in [consumer.name for consumer in await js.consumers_info(STREAM)]

            await until(again)
        await relay.deliver(BROKER, [event(2)])

        async def second() -> bool:
            return await taken(shelf) == [1, 2]

        await until(second)


async def refusal(broker: Broker) -> str:
    """Why nothing can be published."""
    async with publishing(broker) as relay:
        with capture_logs() as logs, pytest.raises(Undelivered) as refused:
            await relay.deliver(BROKER, [event(1)])
    assert logs == []
    return str(refused.value)


async def test_why_a_broker_is_of_no_use_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody there, another password, no JetStream; never with the password."""
    server = NatsServer(nats_program(), tmp_path)
    url = f"nats://mesh:s3cret@127.0.0.1:{server.port}"
    assert f"127.0.0.1:{server.port}" in await refusal(broker_at(url))
    for options, said in ((["--user", "mesh", "--pass", "other"], "Authorization"), ([], "--jetstream")):
        process = await asyncio.create_subprocess_exec(
            nats_program(), "--addr", "127.0.0.1", "--port", str(server.port), *options, stderr=subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(20):
                while not server.answers():
                    await asyncio.sleep(0.01)
            why = await refusal(broker_at(url))
        finally:
            process.kill()
            await process.wait()
        assert said.lower() in why.lower()
        assert "s3cret" not in why
    assert "s3cret" not in caplog.text


async def test_a_broker_with_tls_is_who_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the certificates that the system trusts. One that is not trusted is said, and waited for by nobody."""
    authority = Authority(tmp_path)
    pair = authority.issue([], datetime.now(UTC))
    (tmp_path / "chain.pem").write_text(pair.chain)
    (tmp_path / "key.pem").write_text(pair.key)
    server = NatsServer(nats_program(), tmp_path)
    listen = ["--addr", "127.0.0.1", "--port", str(server.port), "--jetstream", "--store_dir", str(tmp_path / "store")]
    tls = ["--tls", "--tlscert", str(tmp_path / "chain.pem"), "--tlskey", str(tmp_path / "key.pem")]
    process = await asyncio.create_subprocess_exec(nats_program(), *listen, *tls, stderr=subprocess.DEVNULL)
    broker = broker_at(f"tls://localhost:{server.port}")
    try:
        async with asyncio.timeout(60):
            while not server.answers():
                await asyncio.sleep(0.01)
            assert "certificate verify failed" in await refusal(broker)
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate_file))
            async with publishing(broker) as relay:
                assert outcomes(await relay.deliver(BROKER, [event(1)])) == [APPLIED]
    finally:
        process.kill()
        await process.wait()
