import grpc
import pytest

from tests.e2e.chain.caller import Caller
from tests.e2e.chain.leaf_record import LeafRecord

GET = "chain.front.v1.FrontService/Get"
PUT = "chain.front.v1.FrontService/Put"
ATTEMPTS = 3  # of a method that may be repeated and says no more


async def test_a_read_is_repeated_until_the_callee_answers(edge: Caller, leaf: LeafRecord) -> None:
    """Two answers of UNAVAILABLE are not seen by anybody above."""
    hops = await edge.call(GET, key="read", fail_times=2)

    assert [hop["service"] for hop in hops] == ["front", "middle", "leaf"]
    assert leaf.events("read") == ["began"] * 3 + ["finished"]


async def test_a_write_with_the_same_fault_runs_once(edge: Caller, leaf: LeafRecord) -> None:
    """The contract does not say that a repeat is safe: the caller is told and decides."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.call(PUT, key="write", fail_times=2)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert leaf.events("write") == ["began"]


async def test_a_leaf_that_never_answers_is_not_tried_by_every_hop(edge: Caller, leaf: LeafRecord) -> None:
    """Each of three hops would repeat; together they reach the leaf three times and not 27 times."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.call(GET, key="never", fail_times=1000)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert leaf.events("never") == ["began"] * ATTEMPTS
