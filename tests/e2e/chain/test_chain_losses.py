import asyncio
import os
import signal

import grpc

from protomesh.proxy import Statistics
from tests.e2e import reach
from tests.e2e.chain.caller import Caller
from tests.e2e.chain.leaf_record import LeafRecord
from tests.e2e.mesh import Mesh

READS = 140  # about half of them on each worker
WRITES = 20
AT_RISK = 50
RETRIED = "cluster.leaf.upstream_rq_retry_success"


async def test_no_read_is_lost_with_a_killed_worker(chain: Mesh, edge: Caller, leaf: LeafRecord) -> None:
    """Reads that were open on it are answered by the other one. A write is lost, said so, and never done twice."""
    statistics = Statistics(reach.layout(chain).envoy_admin_socket)
    before = (await statistics.counters(f"^{RETRIED}$"))[RETRIED]
    reads = [
        asyncio.create_task(edge.call("chain.front.v1.FrontService/Get", key=f"held-read{n}", hold="both"))
        for n in range(READS)
    ]
    writes = [
        asyncio.create_task(edge.call("chain.front.v1.FrontService/Put", key=f"held-write{n}", hold="both"))
        for n in range(WRITES)
    ]
    await leaf.until(lambda: leaf.workers("held-read", "began").total() == READS, "every read is open")
    await leaf.until(lambda: leaf.workers("held-write", "began").total() == WRITES, "every write is open")
    ((victim, at_risk),) = leaf.workers("held-read", "began").most_common(1)
    assert at_risk >= AT_RISK
    lost = leaf.workers("held-write", "began")[victim]
    assert lost

    os.kill(victim, signal.SIGKILL)
    await leaf.until(lambda: leaf.workers("held-read", "began").total() >= READS + at_risk, "the reads are open again")
    leaf.release("both")

    hops = await asyncio.gather(*reads)
    assert [len(answer) for answer in hops] == [3] * READS
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert [error.code() for error in failed] == [grpc.StatusCode.UNAVAILABLE] * lost
    assert [leaf.events(f"held-write{n}").count("began") for n in range(WRITES)] == [1] * WRITES
    assert (await statistics.counters(f"^{RETRIED}$"))[RETRIED] - before >= at_risk
