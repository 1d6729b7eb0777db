import asyncio
from typing import Any

import grpc
import pytest
from foreign import DoRequest, DoResponse, PlainServiceServicer, PlainServiceStub
from google.rpc import error_details_pb2
from grpc import aio
from probe.v1 import (
    AnswerRequest,
    AnswerResponse,
    ChatRequest,
    ChatResponse,
    ExportRequest,
    ExportResponse,
    HurryRequest,
    ImportRequest,
    ImportResponse,
    LeafServiceServicer,
    LeafServiceStub,
    WatchRequest,
    WatchResponse,
)

from protomesh.runtime import Context, User
from protomesh.runtime.errors import status_of
from protomesh.runtime.server import Server


async def test_all_four_kinds_of_call_work(servers: Any) -> None:
    """One answer or a stream of them, to one request or a stream of them."""

    async def answer(request: Any, _context: Context) -> Any:
        return AnswerResponse(text=request.text)

    async def export(request: Any, _context: Context) -> Any:
        for number in range(request.count):
            yield ExportResponse(number=number)

    async def take(requests: Any, _context: Context) -> Any:
        return ImportResponse(count=sum([request.number async for request in requests]))

    async def chat(requests: Any, _context: Context) -> Any:
        async for request in requests:
            yield ChatResponse(text=request.text.upper())

    client = await servers.leaf(Answer=answer, Export=export, Import=take, Chat=chat)
    assert (await client.Answer(AnswerRequest(text="a"))).text == "a"
    assert [response.number async for response in client.Export(ExportRequest(count=3))] == [0, 1, 2]
    assert (await client.Import(_each(ImportRequest(number=n) for n in range(4)))).count == 6
    chatted = client.Chat(_each(ChatRequest(text=t) for t in "ab"))
    assert [response.text async for response in chatted] == ["A", "B"]
    call = client.Chat()
    await call.write(ChatRequest(text="x"))
    assert (await call.read()).text == "X"
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_validation_names_the_field(servers: Any) -> None:
    """INVALID_ARGUMENT with google.rpc.BadRequest, nested fields by their path; the handler is not called."""
    client = await servers.leaf()
    lines = [AnswerRequest.Line(quantity=1), AnswerRequest.Line(quantity=-1)]
    with pytest.raises(aio.AioRpcError) as caught:
        await client.Answer(AnswerRequest(text="x" * 11, lines=lines))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = error_details_pb2.BadRequest()
    assert status_of(caught.value).details[0].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == ["text", "lines[1].quantity"]
    assert "must be at most 10 characters" in (caught.value.details() or "")
    assert bad.field_violations[0].reason == "string.max_len"


async def test_a_request_with_many_faults_fits_into_headers(servers: Any) -> None:
    """Hundreds of violations would be more than gRPC allows: the first ones are told."""
    client = await servers.leaf()
    with pytest.raises(aio.AioRpcError) as caught:
        await client.Answer(AnswerRequest(lines=[AnswerRequest.Line(quantity=-1)] * 1000))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_every_message_of_a_clients_stream_is_validated(servers: Any) -> None:
    """What came before the bad one has been handled."""
    counted: list[int] = []

    async def take(requests: Any, _context: Context) -> Any:
        async for request in requests:
            counted.append(request.number)  # noqa: PERF401 - a comprehension would lose those before the bad one
        return ImportResponse(count=len(counted))

    async def chat(requests: Any, _context: Context) -> Any:
        async for request in requests:
            yield ChatResponse(text=request.text)

    client = await servers.leaf(Import=take, Chat=chat)
    with pytest.raises(aio.AioRpcError) as caught:
        await client.Import(_each(ImportRequest(number=number) for number in (1, 2, -1)))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (caught.value.details() or "").startswith("number: ")
    assert counted == [1, 2]
    call = client.Chat(_each(ChatRequest(text=text) for text in ("a", "x" * 11)))
    assert (await call.read()).text == "a"
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_handler_knows_who_calls(servers: Any) -> None:
    """User, scopes and calling service, as Envoy says them; None where it says nothing."""
    seen: list[Any] = []

    async def answer(_request: Any, context: Context) -> Any:
        seen.append((context.user, context.caller, context.request_id, context.trace_id, context.method))
        return AnswerResponse()

    channel = await servers.leaf_channel(Answer=answer)
    stub = LeafServiceStub(channel)
    trace = "0af7651916cd43dd8448eb211c80319c"
    await stub.Answer(
        AnswerRequest(),
        metadata=(
            ("x-protomesh-subject", "alice"),
            ("x-protomesh-scopes", "b a"),
            ("x-protomesh-caller", "orders"),
            ("x-request-id", "r1"),
            ("traceparent", f"00-{trace}-b7ad6b7169203331-01"),
        ),
    )
    await stub.Answer(AnswerRequest())
    method = "probe.v1.LeafService/Answer"
    assert seen[0] == (User("alice", frozenset({"a", "b"})), "orders", "r1", trace, method)
    user, caller, request_id, trace_id, _ = seen[1]
    assert (user, caller, trace_id) == (None, None, None)
    assert request_id  # a request without an id gets one


async def test_a_contract_that_does_not_know_protomesh_works(servers: Any) -> None:
    """No deadline but the caller's; its validation rules hold."""
    had: list[Any] = []

    class Plain(PlainServiceServicer):  # type: ignore[misc] # mypy doesn't see the contract
        async def Do(self, request: Any, context: Context, /) -> Any:
            had.append(context.time_remaining)
            return DoResponse(name=request.name)

    stub = PlainServiceStub(await servers.start(Plain()))
    assert (await stub.Do(DoRequest(name="a"))).name == "a"
    assert had == [None]
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Do(DoRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_forgotten_method_fails_at_the_start() -> None:
    """As does everything else that is wrong with servicers, all at once."""

    class Half(LeafServiceServicer):  # type: ignore[misc] # mypy doesn't see the contract
        async def Answer(self, request: Any, context: Context, /) -> Any: ...

    with pytest.raises(TypeError) as caught:
        Server([Half(), object()])
    message = str(caught.value)
    assert "Half lacks Hurry, Watch, Export, Import, Chat of LeafServiceServicer" in message
    assert "object derives from no generated servicer" in message


async def test_a_service_is_served_once(leaf_servicer: Any) -> None:
    """Two servicers of one service are a mistake of the composition root."""
    with pytest.raises(TypeError, match=r"probe\.v1\.LeafService is served twice"):
        Server([leaf_servicer(), leaf_servicer()])


async def test_a_handler_of_the_wrong_kind_fails_at_the_start(leaf_servicer: Any) -> None:
    """A blocking handler would stop every other call; one that returns no stream would fail each call."""

    def blocking(_request: Any, _context: Context) -> Any: ...
    async def returns(_request: Any, _context: Context) -> Any: ...

    with pytest.raises(TypeError, match=r"LeafService/Answer has one answer: .* `async def`"):
        Server([leaf_servicer(Answer=blocking)])
    with pytest.raises(TypeError, match=r"LeafService/Watch sends a stream: .* `yield`"):
        Server([leaf_servicer(Watch=returns)])


async def test_a_streams_handler_is_cleaned_up_when_its_caller_leaves(servers: Any) -> None:
    """Breaking out of the loop ends the server's generator, `finally` included."""
    ended = asyncio.Event()

    async def watch(_request: Any, _context: Context) -> Any:
        try:
            while True:
                yield WatchResponse()
        finally:
            ended.set()

    client = await servers.leaf(Watch=watch)
    async for _ in client.Watch(WatchRequest()):
        break
    await asyncio.wait_for(ended.wait(), 5)


async def test_what_a_handler_does_not_read_is_not_kept_for_it(servers: Any) -> None:
    """A stream's sender is held up instead: a worker's memory does not grow with what strangers would like to send."""

    async def chat(_requests: Any, _context: Context) -> Any:
        await asyncio.Event().wait()
        yield ChatResponse()

    call = (await servers.leaf(Chat=chat)).Chat()
    request, sent, held_up = ChatRequest(text="x" * 16_000), 0, False
    while not held_up and sent < 16 * 1024 * 1024:
        writing = asyncio.create_task(call.write(request))
        done, _ = await asyncio.wait([writing], timeout=1)
        held_up = not done
        sent += len(done) * request.ByteSize()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert 64 * 1024 < sent < 1024 * 1024


async def test_a_handler_runs_at_most_once_for_a_call(servers: Any) -> None:
    """Neither channel nor server repeats a call that failed, whatever its code says about repeats."""
    runs: list[int] = []

    async def answer(_request: Any, _context: Context) -> Any:
        runs.append(1)
        raise aio.AioRpcError(grpc.StatusCode.UNAVAILABLE)

    client = await servers.leaf(Answer=answer)
    with pytest.raises(aio.AioRpcError) as caught:
        await client.Answer(AnswerRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(runs) == 1


async def test_trailing_metadata_goes_with_the_answer(servers: Any) -> None:
    """Each value that the handler adds."""

    async def hurry(_request: Any, context: Context) -> Any:
        context.add_trailing_metadata("x-a", "1")
        context.add_trailing_metadata("x-b-bin", b"\0")
        return AnswerResponse()

    client = await servers.leaf(Hurry=hurry)
    call = client.Hurry(HurryRequest())
    await call
    metadata = await call.trailing_metadata()
    assert (metadata["x-a"], metadata["x-b-bin"]) == ("1", b"\0")


async def _each(items: Any) -> Any:
    for item in items:
        yield item
