import asyncio
from datetime import timedelta
from types import CoroutineType
from typing import Any

import grpc
import pytest
from grpc import aio
from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    AskRequest,
    AskResponse,
    ExportRequest,
    ExportResponse,
    HurryRequest,
    HurryResponse,
    LeafServiceStub,
)

from protomesh.runtime import Context, detached
from protomesh.runtime.interruptible import Interruptible

_NOTHING: tuple[Any, ...] = ()


class Leaf:
    """Remembers how much time it had; answers at once, or never."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.had: list[timedelta | None] = []
        self.arrived = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def answer(self, request: Any, context: Context) -> Any:
        """A handler."""
        self.had.append(context.time_remaining)
        self.arrived.set()
        try:
            if not self.answers:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return AnswerResponse(text=request.text)

    @property
    def seconds(self) -> float:
        """What the last call had."""
        last = self.had[-1]
        assert last is not None
        return last.total_seconds()


async def test_the_contract_gives_a_call_its_deadline(servers: Any) -> None:
    """A caller that says nothing sends the contract's deadline."""
    leaf = Leaf()
    client = await servers.leaf(Answer=leaf.answer)
    await client.Answer(AnswerRequest())
    assert 1.01 < leaf.seconds <= 2.01


async def test_a_caller_can_only_shorten_the_deadline(servers: Any) -> None:
    """`timeout=` below the contract's counts; above it, the contract's does."""
    leaf = Leaf()
    client = await servers.leaf(Answer=leaf.answer)
    await client.Answer(AnswerRequest(), timeout=0.9)
    assert 0 < leaf.seconds <= 0.91
    await client.Answer(AnswerRequest(), timeout=60)
    assert 0.91 < leaf.seconds <= 2.01


async def test_a_deadline_travels_and_is_capped_over_two_hops(servers: Any) -> None:
    """The leaf has what is left of the first caller's time, and never more than each contract on the way gives."""
    leaf = Leaf()
    client = await servers.leaf(Answer=leaf.answer)

    async def ask(request: Any, _context: Context) -> Any:
        return AskResponse(text=(await client.Answer(AnswerRequest(text=request.text))).text)

    front = await servers.front(Ask=ask)
    await front.Ask(AskRequest(), timeout=0.9)
    assert 0 < leaf.seconds <= 0.91  # the caller's
    await front.Ask(AskRequest())
    assert 0 < leaf.seconds <= 1.01  # FrontService's second, below LeafService's two


async def test_the_server_caps_what_a_foreign_caller_asks_for(servers: Any) -> None:
    """A caller without the mesh's client, and with no deadline or a long one, is answered at the contract's."""
    leaf = Leaf(answers=False)
    channel = await servers.leaf_channel(Hurry=leaf.answer)
    for timeout in (None, 60):
        leaf.cancelled.clear()
        with pytest.raises(aio.AioRpcError) as late:
            await LeafServiceStub(channel).Hurry(HurryRequest(), timeout=timeout)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert leaf.seconds <= 0.1
        await asyncio.wait_for(leaf.cancelled.wait(), 5)


async def test_a_late_leaf_is_deadline_exceeded_for_everybody(servers: Any) -> None:
    """The first caller's deadline ends the leaf's work, and both callers hear why."""
    leaf = Leaf(answers=False)
    client = await servers.leaf(Answer=leaf.answer)
    codes: list[grpc.StatusCode] = []

    async def ask(_request: Any, _context: Context) -> Any:
        try:
            await client.Answer(AnswerRequest())
        except aio.AioRpcError as error:
            codes.append(error.code())
            raise
        return AskResponse()

    front = await servers.front(Ask=ask)
    with pytest.raises(aio.AioRpcError) as late:
        await front.Ask(AskRequest(), timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(leaf.cancelled.wait(), 5)
    assert codes in ([grpc.StatusCode.DEADLINE_EXCEEDED], [])  # [] if the front's own end came first


async def test_cancellation_travels_over_two_hops(servers: Any) -> None:
    """Who hangs up ends the work of everybody behind."""
    leaf = Leaf(answers=False)
    client = await servers.leaf(Answer=leaf.answer)

    async def ask(_request: Any, _context: Context) -> Any:
        return AskResponse(text=(await client.Answer(AnswerRequest())).text)

    front = await servers.front(Ask=ask)
    call = front.Ask(AskRequest())
    waiting = asyncio.ensure_future(_result(call))
    await asyncio.wait_for(leaf.arrived.wait(), 5)
    call.cancel()
    await asyncio.wait_for(leaf.cancelled.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_stream_has_no_deadline_unless_it_asks_for_one(servers: Any) -> None:
    """The service's deadline is for unary methods; a method's own holds for a stream too."""
    had: list[timedelta | None] = []

    async def export(_request: Any, context: Context) -> Any:
        had.append(context.time_remaining)
        yield ExportResponse()

    async def chat(_requests: Any, context: Context) -> Any:
        had.append(context.time_remaining)
        for response in _NOTHING:
            yield response

    client = await servers.leaf(Export=export, Chat=chat)
    assert [response.number async for response in client.Export(ExportRequest())] == [0]
    assert [response async for response in client.Chat(_nothing())] == []
    assert had[0] is None
    assert had[1] is not None
    assert had[1] > timedelta(seconds=4)


async def test_detached_work_has_a_deadline_of_its_own_and_hands_it_on(servers: Any) -> None:
    """A compensation is not late because the call that it cleans up after is."""
    leaf = Leaf()
    client = await servers.leaf(Answer=leaf.answer)

    async def ask(_request: Any, _context: Context) -> Any:
        async with detached(timeout=timedelta(seconds=60)):
            await client.Answer(AnswerRequest())
        return AskResponse()

    front = await servers.front(Ask=ask)
    await front.Ask(AskRequest(), timeout=0.9)
    assert 0.91 < leaf.seconds <= 2.01  # the leaf's contract, not what the caller has left


async def test_detached_work_is_finished_after_the_caller_hung_up(servers: Any) -> None:
    """The block runs to its end; what comes after it does not run."""
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    after: list[str] = []

    async def answer(_request: Any, _context: Context) -> Any:
        try:
            async with detached(timeout=timedelta(seconds=60)):
                begun.set()
                async with asyncio.timeout(30):  # a timeout of the handler's own works inside
                    await may_end.wait()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await asyncio.Event().wait()
                after.append("inside")
            after.append("behind")
        finally:
            ended.set()
        return AnswerResponse()

    client = await servers.leaf(Answer=answer)
    call = client.Answer(AnswerRequest())
    waiting = asyncio.ensure_future(_result(call))
    await asyncio.wait_for(begun.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    # Another call through the same connection proves that the server has heard of the cancellation.
    with pytest.raises(aio.AioRpcError):
        await client.Hurry(HurryRequest())
    assert not ended.is_set()
    may_end.set()
    await asyncio.wait_for(ended.wait(), 5)
    assert after == ["inside"]


async def test_detached_work_that_takes_too_long_is_a_timeout(servers: Any) -> None:
    """Its own deadline raises TimeoutError, which is the handler's to treat."""
    seen: list[str] = []

    async def answer(_request: Any, _context: Context) -> Any:
        try:
            async with detached(timeout=timedelta(milliseconds=10)):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("late")
        return AnswerResponse(text="late")

    client = await servers.leaf(Answer=answer)
    assert (await client.Answer(AnswerRequest())).text == "late"
    assert seen == ["late"]


async def test_detached_work_can_be_cancelled_from_within(servers: Any) -> None:
    """Only the caller's hanging up is put off: a task that the handler started can still end it."""
    cancelled = asyncio.Event()

    async def answer(_request: Any, _context: Context) -> Any:
        handler = asyncio.current_task()
        assert handler is not None

        async def end() -> None:
            handler.cancel()

        async with detached(timeout=timedelta(seconds=60)):
            ending = asyncio.create_task(end())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                await ending
                raise

    client = await servers.leaf(Answer=answer)
    with pytest.raises(aio.AioRpcError) as failed:
        await client.Answer(AnswerRequest())
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert cancelled.is_set()


async def test_each_late_call_ends_at_its_own_time(servers: Any) -> None:
    """One after the other, and those that were in time are left alone."""
    loop = asyncio.get_running_loop()
    late: dict[str, float] = {}
    again = asyncio.Event()

    async def hurry(request: Any, _context: Context) -> Any:
        began = loop.time()
        if request.text.startswith("fast"):
            return HurryResponse(text=request.text)
        if request.text == "first":
            loop.call_later(0.05, again.set)
        try:
            await asyncio.Event().wait()
        finally:
            late[request.text] = loop.time() - began

    foreign = LeafServiceStub(await servers.leaf_channel(Hurry=hurry))  # it sends no deadline

    async def call(text: str) -> str:
        try:
            return str((await foreign.Hurry(HurryRequest(text=text))).text)
        except aio.AioRpcError as error:
            return error.code().name

    calls = [asyncio.create_task(call(text)) for text in ("first", "fast 1", "fast 2")]
    await asyncio.wait_for(again.wait(), 5)
    calls += [asyncio.create_task(call(text)) for text in ("second", "fast 3")]
    late_and_fast = ["DEADLINE_EXCEEDED", "fast 1", "fast 2", "DEADLINE_EXCEEDED", "fast 3"]
    assert await asyncio.gather(*calls) == late_and_fast
    assert list(late) == ["first", "second"]
    assert min(late.values()) > 0.099  # the second has a time of its own, and does not end with the first
    # Nothing is left behind that would end a call that comes later.
    assert await call("fast 4") == "fast 4"


async def test_a_handler_runs_in_the_task_that_grpc_made(servers: Any) -> None:
    """A second one would cost each call a tenth. When the call has ended, the task is as gRPC made it."""
    tasks: list[asyncio.Task[Any]] = []

    async def answer(_request: Any, _context: Context) -> Any:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        return AnswerResponse()

    client = await servers.leaf(Answer=answer)
    await client.Answer(AnswerRequest())
    assert not isinstance(tasks[0].get_coro(), CoroutineType)  # compiled: gRPC's
    assert Interruptible.of(tasks[0]) is None


async def _result(call: Any) -> Any:
    return await call


async def _nothing() -> Any:
    for request in _NOTHING:
        yield request
