import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    AskRequest,
    AskResponse,
    ChatRequest,
    ChatResponse,
    FollowRequest,
    FollowResponse,
    ImportRequest,
    ImportResponse,
    WatchRequest,
    WatchResponse,
)

from protomesh.runtime import Context, User
from protomesh.runtime.user import user_of


async def test_trace_request_id_baggage_and_user_travel_on(servers: Any) -> None:
    """Whatever else came with the call stays behind, the calling service's name above all."""
    seen: list[dict[str, Any]] = []

    async def answer(_request: Any, context: Context) -> Any:
        seen.append(dict(context.metadata))
        return AnswerResponse()

    leaf = await servers.leaf(Answer=answer)

    async def ask(_request: Any, _context: Context) -> Any:
        await asyncio.gather(leaf.Answer(AnswerRequest()), leaf.Answer(AnswerRequest()))  # in tasks of their own, too
        return AskResponse()

    travels = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=b",
        "baggage": "c=d",
        "x-request-id": "r1",
        "x-protomesh-subject": "alice",
        "x-protomesh-scopes": "read write",
        "x-protomesh-claims": "e30",
        "x-protomesh-token": "Bearer alices",
    }
    stays = {"x-protomesh-caller": "edge", "authorization": "Bearer t", "x-other": "o"}
    front = await servers.front(*travels.items(), *stays.items(), Ask=ask)
    await front.Ask(AskRequest())
    assert len(seen) == 2
    for metadata in seen:
        assert {key: metadata.get(key) for key in travels} == travels
        assert not stays.keys() & metadata.keys()


async def test_calls_of_one_request_without_an_id_share_one(servers: Any) -> None:
    """The first service makes it, so that the logs of all can be joined."""
    ids: list[str | None] = []

    async def answer(_request: Any, context: Context) -> Any:
        ids.append(context.request_id)
        return AnswerResponse()

    leaf = await servers.leaf(Answer=answer)

    async def ask(_request: Any, context: Context) -> Any:
        await leaf.Answer(AnswerRequest())
        await leaf.Answer(AnswerRequest())
        return AskResponse(text=context.request_id or "")

    front = await servers.front(Ask=ask)
    first = (await front.Ask(AskRequest())).text
    assert ids == [first, first]
    assert (await front.Ask(AskRequest())).text != first


async def test_metadata_of_the_call_itself_wins_over_what_travels(servers: Any) -> None:
    """A service may act on behalf of another user, who gets nothing of the first one's."""
    seen: list[Any] = []

    async def answer(_request: Any, context: Context) -> Any:
        seen.append((context.user, context.metadata.get("x-protomesh-token")))
        return AnswerResponse()

    leaf = await servers.leaf(Answer=answer)

    async def ask(_request: Any, _context: Context) -> Any:
        await leaf.Answer(AnswerRequest(), metadata=tuple(User("bob").metadata()))
        await leaf.Answer(AnswerRequest())
        return AskResponse()

    alice = User("alice", frozenset({"a", "b"}), {"sub": "alice", "team": "blue"})
    front = await servers.front(*alice.metadata(), ("x-protomesh-token", "Bearer alices"), Ask=ask)
    await front.Ask(AskRequest())
    assert seen == [(User("bob"), None), (alice, "Bearer alices")]


async def test_who_needs_a_user_says_so(servers: Any) -> None:
    """`require_user` gives the user, or ends the call as UNAUTHENTICATED."""

    async def answer(_request: Any, context: Context) -> Any:
        return AnswerResponse(text=context.require_user().subject)

    assert (
        await (await servers.leaf(*User("alice").metadata(), Answer=answer)).Answer(AnswerRequest())
    ).text == "alice"
    with pytest.raises(aio.AioRpcError) as refused:
        await (await servers.leaf(Answer=answer)).Answer(AnswerRequest())
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.details() == "probe.v1.LeafService/Answer is called on behalf of a user"


@pytest.mark.parametrize("claims", ["%%%", "e30", "W10", ""])
async def test_claims_that_can_not_be_read_are_none(claims: str) -> None:
    """A caller of another language may send no claims, or an empty set."""
    assert user_of({"x-protomesh-subject": "alice", "x-protomesh-claims": claims}) == User("alice")


async def test_breaking_out_of_a_stream_cancels_it_over_two_hops(servers: Any) -> None:
    """No handler is left behind at any of the services."""
    ended = asyncio.Event()

    async def watch(_request: Any, _context: Context) -> Any:
        try:
            yield WatchResponse(number=1)
            await asyncio.Event().wait()
        finally:
            ended.set()

    leaf = await servers.leaf(Watch=watch)

    async def follow(_request: Any, _context: Context) -> Any:
        async for response in leaf.Watch(WatchRequest()):
            yield FollowResponse(number=response.number)

    front = await servers.front(Follow=follow)
    async for response in front.Follow(FollowRequest()):
        assert response.number == 1
        break
    await asyncio.wait_for(ended.wait(), 5)


async def test_an_error_in_the_loop_cancels_the_stream(servers: Any) -> None:
    """Leaving a stream by an exception is leaving it."""
    ended = asyncio.Event()

    async def watch(_request: Any, _context: Context) -> Any:
        try:
            while True:
                yield WatchResponse()
                await asyncio.Event().wait()
        finally:
            ended.set()

    client = await servers.leaf(Watch=watch)

    async def read() -> None:
        async for _ in client.Watch(WatchRequest()):
            raise RuntimeError("the reader fails")

    with pytest.raises(RuntimeError, match="the reader fails"):
        await read()
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_call_has_every_method_of_grpcs_own(servers: Any) -> None:
    """What is written for grpc.aio works, whichever kind the call is of."""

    async def answer(request: Any, context: Context) -> Any:
        context.add_trailing_metadata("x-a", "1")
        return AnswerResponse(text=request.text)

    async def take(requests: Any, _context: Context) -> Any:
        return ImportResponse(count=len([request async for request in requests]))

    async def chat(requests: Any, _context: Context) -> Any:
        async for request in requests:
            yield ChatResponse(text=request.text)

    client = await servers.leaf(Answer=answer, Import=take, Chat=chat)
    unary = client.Answer(AnswerRequest(text="a"))
    done = asyncio.Event()
    unary.add_done_callback(lambda _call: done.set())
    await unary.wait_for_connection()
    assert (await unary).text == "a"
    await asyncio.wait_for(done.wait(), 5)
    assert (unary.done(), unary.cancelled()) == (True, False)
    assert await unary.code() is grpc.StatusCode.OK
    assert await unary.details() == ""
    assert (await unary.trailing_metadata())["x-a"] == "1"
    assert await unary.initial_metadata() is not None

    upload = client.Import()
    await upload.write(ImportRequest(number=1))
    await upload.write(ImportRequest(number=2))
    await upload.done_writing()
    assert (await upload).count == 2

    chatted = client.Chat(request_iterator=_each(ChatRequest(text=text) for text in "ab"))
    assert chatted.time_remaining() <= 5.01
    assert [(await chatted.read()).text, (await chatted.read()).text, await chatted.read()] == ["a", "b", aio.EOF]

    cancelled = client.Answer(AnswerRequest())
    assert cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await cancelled.code() is grpc.StatusCode.CANCELLED


async def _each(items: Any) -> Any:
    for item in items:
        yield item
