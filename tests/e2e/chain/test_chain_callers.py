import grpc
import pytest

from tests.e2e import reach
from tests.e2e.chain.caller import Caller, Contracts
from tests.e2e.chain.leaf_record import LeafRecord
from tests.e2e.mesh import Mesh

FRONT = "chain.front.v1.FrontService/Get"
LEAF = "chain.leaf.v1.LeafService/Get"
FORGED = (("x-protomesh-caller", "front"),)


async def test_a_callee_that_is_not_in_calls_is_refused(chain: Mesh, contracts: Contracts, leaf: LeafRecord) -> None:
    """The refusal says which line of mesh.yaml would allow it, and the callee hears nothing."""
    async with reach.egress(chain, "front") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Caller(channel, contracts).call(LEAF, key="refused")

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.details() == (
        "front may not call chain.leaf.v1.LeafService/Get: add leaf/Get to `calls` of front in mesh.yaml"
    )
    assert leaf.events("refused") == []


async def test_each_service_knows_who_called(edge: Caller) -> None:
    """By the name in mesh.yaml; somebody from outside has none, whatever he says."""
    for metadata in ((), FORGED):
        hops = await edge.call(FRONT, metadata=metadata, key="callers")

        assert [hop["caller"] for hop in hops] == ["", "front", "middle"]


async def test_a_service_can_not_call_in_the_name_of_another(middle: Caller) -> None:
    """Its way out writes its name over what it says."""
    (hop,) = await middle.call(LEAF, metadata=FORGED, key="overwritten")

    assert hop["caller"] == "middle"
