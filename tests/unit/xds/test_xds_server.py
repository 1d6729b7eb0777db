"""The server against a scripted client that speaks real gRPC over a unix socket."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from protomesh.xds import Cache, Resource, Server, Snapshot

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


def cluster(name: str, content: str = "1") -> Resource:
    """A cluster of any content."""
    return Resource(type_url=CLUSTER, name=name, body=content.encode())


class Client:
    """One stream: requests as keyword arguments, responses as messages."""

    def __init__(self, channel: grpc.aio.Channel, pool: DescriptorPool) -> None:
        package = "envoy.service.discovery.v3"
        self.request: Any = GetMessageClass(pool.FindMessageTypeByName(f"{package}.DeltaDiscoveryRequest"))
        response: Any = GetMessageClass(pool.FindMessageTypeByName(f"{package}.DeltaDiscoveryResponse"))
        self.call: Any = channel.stream_stream(
            METHOD, request_serializer=self.request.SerializeToString, response_deserializer=response.FromString
        )()

    async def send(self, **fields: Any) -> None:
        await self.call.write(self.request(**fields))

    async def receive(self) -> Any:
        return await asyncio.wait_for(self.call.read(), 10)

    async def acknowledge(self, response: Any) -> None:
        await self.send(type_url=response.type_url, response_nonce=response.nonce)


@asynccontextmanager
async def serving(cache: Cache, pool: DescriptorPool, directory: Path) -> AsyncIterator[grpc.aio.Channel]:
    """A server on a unix socket and a channel to it."""
    server = Server(cache, pool)
    address = f"unix:{directory}/xds.sock"
    await server.start(address)
    try:
        async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield channel
    finally:
        await server.stop()


def names(response: Any) -> list[str]:
    """The names of the resources in a response."""
    return [resource.name for resource in response.resources]


async def test_a_client_is_sent_what_was_published(pool: DescriptorPool, run_directory: Path) -> None:
    """The whole message: names, versions, type URLs, bodies, nonces."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a", "body a"), cluster("b", "body b")]))
    async with serving(cache, pool, run_directory) as channel:
        client = Client(channel, pool)
        await client.send(node={"id": "n"}, type_url=CLUSTER)
        response = await client.receive()

        assert response.type_url == CLUSTER
        assert response.nonce
        assert [(r.name, r.version, r.resource.type_url, r.resource.value) for r in response.resources] == [
            ("a", cluster("a", "body a").version, CLUSTER, b"body a"),
            ("b", cluster("b", "body b").version, CLUSTER, b"body b"),
        ]
        await client.acknowledge(response)
        await cache.wait_acknowledged("n", CLUSTER, timeout=10)

        cache.publish("n", Snapshot([cluster("a", "body a")]))
        removal = await client.receive()
        assert (names(removal), list(removal.removed_resources)) == ([], ["b"])


async def test_a_client_hears_nothing_before_something_is_published(pool: DescriptorPool, run_directory: Path) -> None:
    """An empty answer would make it drop all that it has."""
    cache = Cache()
    async with serving(cache, pool, run_directory) as channel:
        client = Client(channel, pool)
        await client.send(node={"id": "n"}, type_url=CLUSTER)
        await _until(cache, lambda: bool(cache.status("n").streams))

        cache.publish("n", Snapshot([cluster("a")]))

        assert names(await client.receive()) == ["a"]


async def test_the_socket_is_for_its_owner_only(pool: DescriptorPool, run_directory: Path) -> None:
    """Whoever can open it reads the whole configuration."""
    async with serving(Cache(), pool, run_directory):
        assert stat.S_IMODE((run_directory / "xds.sock").stat().st_mode) == 0o600


async def test_tcp_works_too(pool: DescriptorPool) -> None:
    """Port 0 takes a free one, and says which."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    server = Server(cache, pool)
    port = await server.start("127.0.0.1:0")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = Client(channel, pool)
            await client.send(node={"id": "n"}, type_url=CLUSTER)
            assert names(await client.receive()) == ["a"]
    finally:
        await server.stop()


async def test_a_refusal_surfaces_with_its_reason(pool: DescriptorPool, run_directory: Path) -> None:
    """By node, type and name."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    async with serving(cache, pool, run_directory) as channel:
        client = Client(channel, pool)
        await client.send(node={"id": "n"}, type_url=CLUSTER)
        response = await client.receive()
        await client.send(
            type_url=CLUSTER, response_nonce=response.nonce, error_detail={"code": 13, "message": "no good"}
        )
        await _until(cache, lambda: bool(cache.status("n").rejections(CLUSTER)))

        rejections = cache.status("n").rejections(CLUSTER)
        assert [(r.name, r.reason) for r in rejections] == [("a", "no good")]


async def test_a_client_that_does_not_say_who_it_is_is_turned_away(pool: DescriptorPool, run_directory: Path) -> None:
    """There is no snapshot for nobody."""
    async with serving(Cache(), pool, run_directory) as channel:
        client = Client(channel, pool)
        await client.send(type_url=CLUSTER)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.receive()

    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the first request of a stream needs node.id"


async def test_a_stream_that_ends_is_forgotten(pool: DescriptorPool, run_directory: Path) -> None:
    """Nobody waits for the answers of a client that left."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    async with serving(cache, pool, run_directory) as channel:
        client = Client(channel, pool)
        await client.send(node={"id": "n"}, type_url=CLUSTER)
        await client.receive()
        await client.call.done_writing()
        await _until(cache, lambda: not cache.status("n").streams)

        gone = Client(channel, pool)
        await gone.send(node={"id": "n"}, type_url=CLUSTER)
        await gone.receive()
        gone.call.cancel()
        await _until(cache, lambda: not cache.status("n").streams)


async def test_stopping_ends_streams_in_good_order(pool: DescriptorPool, run_directory: Path) -> None:
    """A client sees the end of the stream and no error, and another server takes its place on the same socket."""
    cache = Cache()
    cache.publish("n", Snapshot([cluster("a")]))
    server = Server(cache, pool)
    address = f"unix:{run_directory}/xds.sock"
    await server.start(address)
    async with grpc.aio.insecure_channel(address) as channel:
        client = Client(channel, pool)
        await client.send(node={"id": "n"}, type_url=CLUSTER)
        await client.receive()
        await server.stop()

        assert await client.receive() is grpc.aio.EOF
        assert await client.call.code() == grpc.StatusCode.OK
    assert cache.status("n").streams == ()

    async with serving(cache, pool, run_directory) as channel:
        again = Client(channel, pool)
        await again.send(node={"id": "n"}, type_url=CLUSTER)
        assert names(await again.receive()) == ["a"]


async def test_the_other_variant_says_that_it_is_not_there(pool: DescriptorPool, run_directory: Path) -> None:
    """A client that is set to the state-of-the-world variant is told so."""
    async with serving(Cache(), pool, run_directory) as channel:
        call: Any = channel.stream_stream(METHOD.replace("Delta", "Stream"))()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(call.read(), 10)

    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_two_hundred_streams_at_once(pool: DescriptorPool, run_directory: Path) -> None:
    """Each with its own subscription; a change of one name reaches those who follow it and nobody else."""
    cache = Cache()
    before = Snapshot([cluster(f"c{n}") for n in range(200)])
    cache.publish("n", before)
    async with serving(cache, pool, run_directory) as channel:
        clients = [Client(channel, pool) for _ in range(200)]
        for number, client in enumerate(clients):
            await client.send(node={"id": "n"}, type_url=CLUSTER, resource_names_subscribe=[f"c{number}", "c0"])
        for number, client in enumerate(clients):
            response = await client.receive()
            assert names(response) == sorted({"c0", f"c{number}"})
            await client.acknowledge(response)
        await cache.wait_acknowledged("n", CLUSTER, timeout=10)

        cache.publish("n", before.with_resources(cluster("c7", "2")))
        assert names(await clients[7].receive()) == ["c7"]
        cache.publish("n", before.with_resources(cluster("c7", "2"), cluster("c0", "2")))
        for client in clients:
            assert names(await client.receive()) == ["c0"]


async def _until(cache: Cache, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        answers = cache.answers
        while not condition():
            answers = await cache.wait_answered(answers)
