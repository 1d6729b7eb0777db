import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import pytest

from protomesh.runtime.errors import DETAILS_KEY
from tests.e2e.chain.caller import Caller
from tests.e2e.mesh import Mesh

GET = "chain.front.v1.FrontService/Get"
PUT = "chain.front.v1.FrontService/Put"
WATCH = "chain.leaf.v1.LeafService/Watch"


class Traffic:
    """Calls that go on until told to stop, without a retry of the client's own. Every outcome is counted."""

    def __init__(self, caller: Caller) -> None:
        self.outcomes: Counter[str] = Counter()
        self.stopping = asyncio.Event()
        self._caller = caller

    async def unary(self, method: str, delay_ms: int, key: str) -> None:
        """Calls through all three services; each of them waits for so long."""
        kind = f"{method.rpartition('/')[2]} of {3 * delay_ms} ms"
        while not self.stopping.is_set():
            outcome = await self._outcome(self._caller.call(method, key=key, delay_ms=delay_ms))
            self.outcomes[f"{kind}: {outcome}"] += 1

    async def stream(self) -> None:
        """Watches the leaf, and goes on with the last token where a stream was drained."""
        token = "0"
        while not self.stopping.is_set():
            stream = self._caller.stream(WATCH, 60, resume_token=token)
            stopped = asyncio.ensure_future(self.stopping.wait())
            stopped.add_done_callback(partial(_cancel, stream))
            try:
                async for message in stream:
                    if int(message.resume_token) != int(token) + 1:
                        self.outcomes[f"stream: {message.resume_token} after {token}"] += 1
                    token = message.resume_token
                self.outcomes["stream: ended by itself"] += 1
            except grpc.aio.AioRpcError as error:
                drained = b"STREAM_DRAINED" in dict(error.trailing_metadata()).get(DETAILS_KEY, b"")
                self.outcomes[f"stream: {'drained' if drained else repr(error)}"] += 1
            except asyncio.CancelledError:
                assert self.stopping.is_set()
            finally:
                stopped.cancel()

    @staticmethod
    async def _outcome(call: Awaitable[Any]) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {error.details()}"
        return "OK"


@pytest.mark.parametrize("service", ["leaf", "middle", "front"])
async def test_a_restart_under_load_fails_no_call(chain: Mesh, edge: Caller, service: str) -> None:
    """Quick calls, slow ones, writes that nobody may repeat: all are answered. Streams are drained, and go on."""
    before = {worker["pid"] for worker in chain.service(service)["workers"]}
    traffic = Traffic(edge)
    loops: list[Callable[[int], Any]] = [
        lambda n: traffic.unary(GET, 0, f"quick{n}"),
        lambda n: traffic.unary(GET, 100, f"slow{n}"),
        lambda n: traffic.unary(PUT, 0, f"write{n}"),
        lambda n: traffic.unary(PUT, 100, f"slow-write{n}"),
        lambda _: traffic.stream(),
    ]
    kinds = {f"{name} of {ms} ms: OK" for name in ("Get", "Put") for ms in (0, 300)}
    tasks = [asyncio.create_task(loop(n)) for loop in loops for n in range(3)]
    try:
        await _until(lambda: all(traffic.outcomes[kind] >= 3 for kind in kinds))
        await asyncio.to_thread(chain.protomesh, "restart", service, check=True)
        after = {kind: traffic.outcomes[kind] for kind in kinds}
        await _until(lambda: all(traffic.outcomes[kind] >= after[kind] + 3 for kind in kinds))
    finally:
        traffic.stopping.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)

    drained = traffic.outcomes.pop("stream: drained", 0)
    assert set(traffic.outcomes) == kinds
    assert (drained >= 3) == (service == "leaf")
    assert before.isdisjoint(worker["pid"] for worker in chain.service(service)["workers"])


def _cancel(stream: Any, _: asyncio.Future[Any]) -> None:
    stream.cancel()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)
