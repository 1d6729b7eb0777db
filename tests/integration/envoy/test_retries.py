import asyncio
from typing import Any

import grpc
import pytest

from tests.integration.envoy.lab import Item, Lab, failure, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Fails:
    """A handler that fails a number of times, and then answers."""

    def __init__(
        self, times: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, *, marked: bool = False
    ) -> None:
        self.left = times
        self._code = code
        self._mark = (("x-envoy-ratelimited", "true"),) if marked else ()

    async def __call__(self, _: Any, context: Any) -> Any:
        if self.left:
            self.left -= 1
            await context.abort(self._code, "not now", self._mark)
        return Item(id="done")


async def test_a_read_is_repeated(lab: Lab) -> None:
    """Twice UNAVAILABLE, then an answer: the caller sees the answer, and Envoy counted a retry that helped."""
    before = (await lab.envoy.statistics.counters(r"^cluster\.lab\.upstream_rq_retry_success$")).popitem()[1]
    with lab.backend.on("GetItem", Fails(2)):
        async with lab.channel() as call:
            assert (await call("GetItem")).id == "done"
        assert lab.backend.calls["GetItem"] == 3
    after = (await lab.envoy.statistics.counters(r"^cluster\.lab\.upstream_rq_retry_success$")).popitem()[1]
    assert after == before + 1


async def test_a_read_is_tried_three_times_in_all(lab: Lab) -> None:
    """A service that stays away is not called for ever."""
    with lab.backend.on("GetItem", Fails(10)):
        async with lab.channel() as call:
            assert (await failure(call("GetItem"))).code().name == "UNAVAILABLE"
        assert lab.backend.calls["GetItem"] == 3


async def test_a_write_is_never_retried(lab: Lab) -> None:
    """With the very same fault its handler runs once, even if the caller asks Envoy for more in Envoy's own words."""
    asks = [
        ("x-envoy-retry-on", "5xx,reset,unavailable"),
        ("x-envoy-retry-grpc-on", "unavailable"),
        ("x-envoy-max-retries", "3"),
    ]
    for address in ("", f"unix:{lab.layout.egress_socket('caller')}", f"unix:{lab.layout.operator_socket}"):
        for metadata in (None, asks):
            with lab.backend.on("CreateItem", Fails(2)):
                async with lab.channel(address) as call:
                    error = await failure(call("CreateItem", metadata=metadata))
                assert (error.code().name, lab.backend.calls["CreateItem"]) == ("UNAVAILABLE", 1)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
async def test_only_unavailable_is_repeated(lab: Lab, code: grpc.StatusCode) -> None:
    """AIP-194: whether another code may be tried again is for the caller to decide."""
    with lab.backend.on("GetItem", Fails(1, code)):
        async with lab.channel() as call:
            assert (await failure(call("GetItem"))).code() is code
        assert lab.backend.calls["GetItem"] == 1


async def test_what_a_callee_has_tried_already_is_not_repeated(lab: Lab) -> None:
    """A marked UNAVAILABLE is passed up at once.

    The mark goes on to callers inside, so that their Envoys do the same, and stays off the edge.
    """
    seen = {}
    for address in ("", f"unix:{lab.layout.egress_socket('caller')}"):
        with lab.backend.on("GetItem", Fails(2, marked=True)):
            async with lab.channel(address) as call:
                error = await failure(call("GetItem"))
            assert (error.code().name, lab.backend.calls["GetItem"]) == ("UNAVAILABLE", 1)
        metadata = [*error.initial_metadata(), *error.trailing_metadata()]
        seen[bool(address)] = "x-envoy-ratelimited" in dict(metadata)
    assert seen == {False: False, True: True}


async def test_the_mark_is_taken_off_a_stream_too(lab: Lab) -> None:
    """There it comes in the trailers, behind messages."""

    async def watch(_: Any, context: Any) -> Any:
        yield Item(id="1")
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone", (("x-envoy-ratelimited", "true"), ("kept", "yes")))

    with lab.backend.on("WatchItems", watch):
        async with lab.channel() as call:
            stream = call("WatchItems")
            assert (await stream.read()).id == "1"
            with pytest.raises(grpc.aio.AioRpcError, match="gone"):
                await stream.read()
            trailers = dict(await stream.trailing_metadata())
    assert "kept" in trailers
    assert "x-envoy-ratelimited" not in trailers


async def test_calls_that_a_dying_endpoint_holds_are_done_by_the_other() -> None:
    """Reads wait in one of two endpoints when it goes: each is answered, and Envoy counts what it did for them."""
    async with running_lab(backends=2) as lab, lab.channel() as call:
        dying, living = lab.backends
        held = asyncio.Semaphore(0)

        async def hold(_: Any, __: Any) -> Any:
            held.release()
            await asyncio.Event().wait()

        with dying.on("GetItem", hold):
            calls = [asyncio.ensure_future(_answer(call("GetItem", timeout=10, id=str(index)))) for index in range(100)]
            async with asyncio.timeout(5):
                for _ in range(25):  # least request does not share them out evenly
                    await held.acquire()
            at_risk = dying.calls["GetItem"]
            await lab.cables[0].cut()
            answers = await asyncio.gather(*calls)
        assert [item.id for item in answers] == [str(index) for index in range(100)]
        (retried,) = (await lab.envoy.statistics.counters(r"^cluster\.lab\.upstream_rq_retry_success$")).values()
        assert retried >= at_risk >= 25
        assert living.calls["GetItem"] == 100


async def _answer(call: Any) -> Any:
    return await call
