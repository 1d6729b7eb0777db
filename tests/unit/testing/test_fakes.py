import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    AskRequest,
    AskResponse,
    Burnt,
    ChatRequest,
    ChatResponse,
    ExportRequest,
    ExportResponse,
    FollowRequest,
    FollowResponse,
    FrontServiceServicer,
    FrontServiceStub,
    ImportRequest,
    ImportResponse,
    LeafServiceStub,
    Refused,
    WatchRequest,
    WatchResponse,
)
from structlog.testing import capture_logs

from protomesh.runtime import App, Context, Mesh, StatusError, User, every
from protomesh.testing import Fake, running, serving


class Front(FrontServiceServicer):  # type: ignore[misc] # mypy doesn't see the contract
    """A service that calls another one."""

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf

    async def Ask(self, request: Any, context: Context, /) -> Any:
        try:
            answer = await self.leaf.Answer(AnswerRequest(text=request.text))
        except Burnt as burnt:
            return AskResponse(text=f"burnt {burnt.name}")
        return AskResponse(text=f"{answer.text} for {context.user.subject if context.user else None}")

    async def Follow(self, _request: Any, _context: Context, /) -> AsyncIterator[Any]:
        async for response in self.leaf.Watch(WatchRequest()):
            yield FollowResponse(number=response.number)


async def test_a_service_is_called_as_a_user_and_calls_a_fake() -> None:
    """The user arrives at the service and travels on to what it calls; the fake has recorded it."""
    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Answer).returns(AnswerResponse(text="42"))
    async with serving(Front(leaf.stub), FrontServiceStub, user=User("alice", {"a"}), caller="edge") as front:
        assert (await front.Ask(AskRequest(text="why"))).text == "42 for alice"
    [call] = leaf.calls
    assert (call.method, call.request) == ("Answer", AnswerRequest(text="why"))
    assert (call.user, call.caller) == (User("alice", frozenset({"a"})), None)
    assert call.time_remaining is not None
    assert call.time_remaining <= timedelta(seconds=1.01)  # of the front's second
    assert leaf.requests(leaf.stub.Answer) == [AnswerRequest(text="why")]
    assert leaf.requests(leaf.stub.Hurry) == []


async def test_answers_follow_each_other_and_the_last_one_stays() -> None:
    """Responses, functions of the request, and errors."""

    async def later(request: Any) -> Any:
        return AnswerResponse(text=request.text * 2)

    async with Fake(LeafServiceStub) as leaf:
        leaf.on(leaf.stub.Answer).returns(
            AnswerResponse(text="first"),
            lambda request: AnswerResponse(text=request.text),
            later,
            Burnt(name="bread"),
            StatusError(grpc.StatusCode.UNAVAILABLE, "gone"),
            AnswerResponse(text="last"),
        )
        texts = [(await leaf.stub.Answer(AnswerRequest(text="a"))).text for _ in range(3)]
        assert texts == ["first", "a", "aa"]
        with pytest.raises(Burnt):
            await leaf.stub.Answer(AnswerRequest())
        with pytest.raises(aio.AioRpcError, match="gone"):
            await leaf.stub.Answer(AnswerRequest())
        assert [(await leaf.stub.Answer(AnswerRequest())).text for _ in range(2)] == ["last", "last"]


async def test_every_kind_of_call_can_be_faked() -> None:
    """A client's stream is recorded and given to the answer as a list, or as an iterator where both sides stream."""

    async def chat(requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield ChatResponse(text=request.text.upper())

    async with Fake(LeafServiceStub) as leaf:
        leaf.on(leaf.stub.Import).returns(lambda requests: ImportResponse(count=len(requests)))
        leaf.on(leaf.stub.Export).streams([ExportResponse(number=1), ExportResponse(number=2)])
        leaf.on(leaf.stub.Watch).streams([WatchResponse(number=7)], error=Burnt(name="oven"))
        leaf.on(leaf.stub.Chat).streams(chat)
        sent = [ImportRequest(number=1), ImportRequest(number=2)]
        assert (await leaf.stub.Import(_each(sent))).count == 2
        assert [response.number async for response in leaf.stub.Export(ExportRequest())] == [1, 2]
        watch = leaf.stub.Watch(WatchRequest())
        assert (await watch.read()).number == 7
        with pytest.raises(Burnt):
            await watch.read()
        spoken = [ChatRequest(text="a"), ChatRequest(text="b")]
        assert [response.text async for response in leaf.stub.Chat(_each(spoken))] == ["A", "B"]
        assert leaf.requests(leaf.stub.Import) == [sent]
        assert leaf.requests(leaf.stub.Chat) == [spoken]


async def test_a_stream_can_stay_open() -> None:
    """As one that watches does; the service that reads it ends it."""
    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Watch).streams([WatchResponse(number=1)], open_ended=True)
    async with serving(Front(leaf.stub), FrontServiceStub) as front:
        async for response in front.Follow(FollowRequest()):
            assert response.number == 1
            break


async def test_a_fake_that_hangs_makes_its_caller_late() -> None:
    """The contract's deadlines hold in tests."""
    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Answer).hangs()
    async with serving(Front(leaf.stub), FrontServiceStub) as front:
        with pytest.raises(aio.AioRpcError) as late:
            await front.Ask(AskRequest(), timeout=0.1)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_that_was_not_prepared_fails_the_test() -> None:
    """Even if the service under test makes something else of it, and whatever the test itself saw."""
    leaf = Fake(LeafServiceStub)
    told = r"the test did not prepare probe\.v1\.LeafService/Answer: fake\.on\(fake\.stub\.Answer\)"
    with capture_logs():
        with pytest.raises(AssertionError, match=told):  # noqa: PT012 - the end of the block raises
            async with serving(Front(leaf.stub), FrontServiceStub) as front:
                with pytest.raises(aio.AioRpcError):
                    await front.Ask(AskRequest())
        other = Fake(LeafServiceStub)
        with pytest.raises(AssertionError, match=told) as caught:
            async with serving(Front(other.stub), FrontServiceStub) as front:
                await front.Ask(AskRequest())
    assert isinstance(caught.value.__cause__, aio.AioRpcError)


async def test_an_answer_that_fails_fails_the_test() -> None:
    """An assertion in a prepared function is not lost in a status."""

    def check(request: Any) -> Any:
        assert request.text == "expected"
        return AnswerResponse()

    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Answer).returns(check)
    with (  # noqa: PT012 - the end of the block raises
        capture_logs(),
        pytest.raises(AssertionError, match="the answer that the test prepared for Answer failed: AssertionError"),
    ):
        async with serving(Front(leaf.stub), FrontServiceStub) as front:
            with pytest.raises(aio.AioRpcError):
                await front.Ask(AskRequest(text="other"))


async def test_a_fake_raises_only_what_the_contract_lists() -> None:
    """The real service could not raise it either."""
    leaf = Fake(LeafServiceStub)
    with pytest.raises(ValueError, match=r"LeafService/Answer does not list probe\.v1\.Refused"):
        leaf.on(leaf.stub.Answer).raises(Refused())
    leaf.on(leaf.stub.Answer).raises(Burnt(name="toast"))
    async with serving(Front(leaf.stub), FrontServiceStub) as front:
        assert (await front.Ask(AskRequest())).text == "burnt toast"


async def test_only_a_fakes_own_methods_can_be_prepared() -> None:
    """A method of another stub is a mistake that would go unnoticed."""
    leaf, other = Fake(LeafServiceStub), Fake(LeafServiceStub)
    with pytest.raises(TypeError, match="own stub"):
        leaf.on(other.stub.Answer)


async def test_fakes_live_as_long_as_the_outermost_block() -> None:
    """Two services that share a fake can be served one inside the other."""
    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Answer).returns(AnswerResponse(text="a"))
    async with serving(Front(leaf.stub), FrontServiceStub) as outer:
        async with serving(Front(leaf.stub), FrontServiceStub) as inner:
            await inner.Ask(AskRequest())
        assert (await outer.Ask(AskRequest())).text == "a for None"
    assert len(leaf.calls) == 2


@dataclass(frozen=True)
class Settings:
    """What the composition root below reads."""

    greeting: str


async def test_a_composition_root_runs_with_fakes_settings_and_jobs(tmp_path: Path) -> None:
    """As a worker runs it: what it builds is left again at the end."""
    swept = asyncio.Event()
    left: list[Path] = []

    @asynccontextmanager
    async def app(mesh: Mesh) -> AsyncGenerator[App]:
        assert mesh.service == "front"
        assert mesh.settings(Settings).greeting == "hello"

        async def sweep() -> None:
            swept.set()

        yield App(
            Front(mesh.client(LeafServiceStub)), jobs=[every(timedelta(hours=1), sweep, one_worker=True, name="sweep")]
        )
        left.append(tmp_path)

    leaf = Fake(LeafServiceStub)
    leaf.on(leaf.stub.Answer).returns(AnswerResponse(text="a"))
    async with running(app, fakes=[leaf], data=tmp_path, settings={"GREETING": "hello"}, service="front") as front:
        alice = front.client(FrontServiceStub, user=User("alice"))
        assert (await alice.Ask(AskRequest())).text == "a for alice"
        assert (await front.client(FrontServiceStub).Ask(AskRequest())).text == "a for None"
        await asyncio.wait_for(swept.wait(), 5)
    assert left == [tmp_path]
    assert (tmp_path / "lease.job-sweep").exists()


async def test_a_composition_root_that_calls_what_is_not_faked_fails_the_test() -> None:
    """The message says which fake is missing."""

    @asynccontextmanager
    async def app(mesh: Mesh) -> AsyncGenerator[App]:
        yield App(Front(mesh.client(LeafServiceStub)))

    with (  # noqa: PT012 - the end of the block raises
        capture_logs(),
        pytest.raises(AssertionError, match=r"probe\.v1\.LeafService was called and has no fake"),
    ):
        async with running(app) as front:
            with pytest.raises(aio.AioRpcError):
                await front.client(FrontServiceStub).Ask(AskRequest())


async def _each(items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item
