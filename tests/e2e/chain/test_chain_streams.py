import asyncio
from contextlib import AsyncExitStack

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from protomesh.proxy import Statistics
from tests.e2e import reach, ways
from tests.e2e.chain.caller import Caller, Contracts
from tests.e2e.mesh import Mesh
from tests.e2e.ways import Call, Failed, Way

WATCH = "chain.leaf.v1.LeafService/Watch"
STREAMS = 1200  # more than Envoy's limit of calls in progress, 1,024
CONNECTIONS = 16
ACTIVE = "cluster.leaf.upstream_rq_active"


async def test_open_streams_do_not_starve_unary_calls(chain: Mesh, contracts: Contracts, edge: Caller) -> None:
    """They have a limit of their own."""
    statistics = Statistics(reach.layout(chain).envoy_admin_socket)
    async with AsyncExitStack() as stack:
        callers = [
            Caller(await stack.enter_async_context(reach.edge(chain, ("grpc.use_local_subchannel_pool", 1))), contracts)
            for _ in range(CONNECTIONS)
        ]
        streams = [callers[n % CONNECTIONS].stream(WATCH, 60) for n in range(STREAMS)]
        async with asyncio.timeout(40):
            first = await asyncio.gather(*(stream.read() for stream in streams))
        assert {message.resume_token for message in first} == {"1"}
        assert (await statistics.gauges(f"^{ACTIVE}$"))[ACTIVE] >= STREAMS

        answers = await asyncio.gather(
            *(edge.call("chain.front.v1.FrontService/Get", key=f"beside{n}") for n in range(50))
        )

        assert [len(hops) for hops in answers] == [3] * 50
        assert not any(stream.done() for stream in streams)
        for stream in streams:
            stream.cancel()


async def test_a_stream_of_a_restarted_service_says_that_it_was_drained(chain: Mesh, edge: Caller) -> None:
    """UNAVAILABLE, with a reason by which a client knows that it may go on at once, from where it was."""
    stream = edge.stream(WATCH, 60, resume_token="41")
    message = await stream.read()
    assert message.resume_token == "42"

    restart = asyncio.create_task(asyncio.to_thread(chain.protomesh, "restart", "leaf", check=True))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(caught.value) == "STREAM_DRAINED"
    assert await resumed(edge, message.resume_token) == "43"
    await restart


async def test_a_drained_stream_can_be_resumed_on_each_protocol(chain: Mesh, contracts: Contracts) -> None:
    """By gRPC and gRPC-Web it says why it ended.

    By REST that is in the trailers, which a web page can't read, nor this client: it ends with a whole line.
    """

    def watch(token: str) -> Call:
        request = contracts.request(WATCH, {"resume_token": token})
        return Call(WATCH, request, contracts.response(WATCH), "GET", f"/v1/watch?resume_token={token}")

    async def follow(way: Way, *, opened: asyncio.Semaphore) -> tuple[str, str]:
        reason, token = "", "41"
        async with way(chain, watch(token)) as messages:
            try:
                async for message in messages:
                    token = message.resume_token
                    opened.release()
            except Failed as failed:
                reason = failed.info.reason
        async with asyncio.timeout(30):
            while True:  # the worker that takes it may be about to go as well
                async with way(chain, watch(token)) as messages:
                    async for message in messages:
                        return reason, message.resume_token

    opened = asyncio.Semaphore(0)
    following = {name: asyncio.create_task(follow(way, opened=opened)) for name, way in ways.STREAMS.items()}
    async with asyncio.timeout(20):
        for _ in following:
            await opened.acquire()
    await asyncio.to_thread(chain.protomesh, "restart", "leaf", check=True)

    ends = dict(zip(following, await asyncio.gather(*following.values()), strict=True))

    without = {*ways.REST, *ways.EVENTS}
    assert ends == {name: ("" if name in without else "STREAM_DRAINED", "43") for name in ways.STREAMS}


async def resumed(caller: Caller, token: str) -> str:
    """The first token of a stream that goes on after `token`. The worker that takes it may be about to go as well."""
    async with asyncio.timeout(30):
        while True:
            stream = caller.stream(WATCH, 60, resume_token=token)
            try:
                return str((await stream.read()).resume_token)
            except grpc.aio.AioRpcError as error:
                if reason(error) != "STREAM_DRAINED":
                    raise
            finally:
                stream.cancel()


def reason(error: grpc.aio.AioRpcError) -> str:
    """What the error's google.rpc.ErrorInfo says."""
    (details,) = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)
