import uuid
from itertools import pairwise

import grpc
import pytest

from tests.e2e import ways
from tests.e2e.chain.caller import Caller, Contracts
from tests.e2e.chain.leaf_record import LeafRecord
from tests.e2e.mesh import Mesh
from tests.e2e.ways import Call, Way, failure

GET = "chain.front.v1.FrontService/Get"
SOON = "chain.front.v1.FrontService/GetSoon"
SETTLE = "chain.leaf.v1.LeafService/Settle"


async def test_the_callers_deadline_shrinks_on_its_way_to_the_leaf(edge: Caller) -> None:
    """Each service has what the one before has left, after 200 ms of its own; the contract would allow 20 s."""
    hops = await edge.call(GET, timeout=10, key="shrinks", delay_ms=200)

    remaining = [hop["remaining_ms"] for hop in hops]
    assert remaining[0] <= 10_000
    assert remaining[-1] > 1000  # it was not just late
    # gRPC rounds what it sends up: to 10 ms below 10 s, to 100 ms above.
    assert all(later <= earlier - 180 for earlier, later in pairwise(remaining))


async def test_the_contracts_deadline_holds_where_the_caller_has_none(edge: Caller) -> None:
    """It shrinks the same way."""
    hops = await edge.call(GET, timeout=60, key="contract", delay_ms=100)

    assert hops[0]["remaining_ms"] <= 20_000
    assert 1000 < hops[2]["remaining_ms"] <= 20_000 - 100


async def test_a_late_leaf_is_given_up_and_cancelled(edge: Caller, leaf: LeafRecord) -> None:
    """Nobody works on for a caller who has gone."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.call(GET, timeout=2, key="late", hold="never")

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await leaf.until(lambda: leaf.events("late") == ["began", "cancelled"], "the leaf's handler is cancelled")


@pytest.mark.parametrize("way", ways.UNARY.values(), ids=ways.UNARY)
async def test_a_late_leaf_is_deadline_exceeded_on_each_protocol(
    chain: Mesh, contracts: Contracts, leaf: LeafRecord, way: Way
) -> None:
    """By the deadline of the first service's contract, which reaches the leaf two services on; 504 by REST."""
    key = f"soon-{uuid.uuid4().hex}"
    request = contracts.request(SOON, {"knobs": {"key": key, "hold": "never"}})
    url = f"/v1/chain/{key}:soon?knobs.hold=never"

    failed = await failure(way, chain, Call(SOON, request, contracts.response(SOON), "GET", url))

    assert failed.status.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert failed.http_status == (504 if way in ways.REST.values() else 200)
    await leaf.until(lambda: leaf.events(key) == ["began", "cancelled"], "the leaf's handler is cancelled")


async def test_detached_work_goes_on_after_the_caller_has_gone(middle: Caller, leaf: LeafRecord) -> None:
    """The same leaf, as late, finishes what it began in `detached`."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await middle.call(SETTLE, timeout=2, key="settled", hold="settle")
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert leaf.events("settled") == ["began"]

    leaf.release("settle")

    await leaf.until(lambda: leaf.events("settled") == ["began", "finished"], "the leaf has finished")
