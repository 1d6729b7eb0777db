import copy
import pickle
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc import aio
from probe.v1 import AnswerRequest, AnswerResponse, AskRequest, AskResponse, Burnt, Refused, WatchRequest, WatchResponse
from structlog.testing import capture_logs

from protomesh.runtime import Context, DeclaredError, StatusError
from protomesh.runtime.errors import reason_of, status_of


def test_fields_of_an_error_are_its_attributes() -> None:
    """Whatever their type; a field with presence that is not set reads as None."""
    since = Timestamp(seconds=5)
    error = Burnt(
        name="bread",
        degrees=300,
        shade=Burnt.Shade.SHADE_BLACK,
        tags=["a", "b"],
        crumbs={"x": Burnt.Crumb(weight=0.5)},
        since=since,
        machine=7,
        all=[Burnt.Crumb()],
        picture=b"\0",
        code="c",
    )
    assert (error.name, error.degrees, error.shade) == ("bread", 300, Burnt.Shade.SHADE_BLACK)
    assert list(error.tags) == ["a", "b"]
    assert error.crumbs["x"].weight == 0.5
    assert error.since == since
    assert error.machine == 7
    assert list(error.all) == [Burnt.Crumb()]
    assert error.picture == b"\0"
    assert error.note is None
    assert error.baker is None
    assert Burnt().since is None
    assert Burnt(note="").note == ""
    assert error.detail.code == "c"  # what every gRPC error has keeps its meaning
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(AttributeError, match="nonsense"):
        _ = error.nonsense
    with pytest.raises(ValueError, match="nonsense"):
        Burnt(nonsense=1)


def test_the_text_of_an_error_is_filled_from_its_fields() -> None:
    """An enum is told by its name."""
    error = Burnt(name="bread {degrees}", degrees=300, shade=Burnt.Shade.SHADE_BLACK)
    assert str(error) == "bread {degrees} is SHADE_BLACK, at 300 degrees"
    assert error.details() == str(error)
    assert repr(error) == "Burnt(name='bread {degrees}', degrees=300, shade=1)"


def test_an_error_survives_copying_and_pickling() -> None:
    """Test runners and process pools send exceptions about."""
    error = Burnt(name="bread", degrees=1)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is Burnt
        assert other.detail == error.detail
        assert str(other) == str(error)


def test_reasons_are_upper_snake() -> None:
    """As google.rpc.ErrorInfo wants them (AIP-193)."""
    names = ["OutOfStock", "HTTPError", "Burnt", "OverV2Limit"]
    assert [reason_of(name) for name in names] == ["OUT_OF_STOCK", "HTTP_ERROR", "BURNT", "OVER_V2_LIMIT"]


async def test_a_declared_error_arrives_as_its_class(servers: Any) -> None:
    """With its fields, its code, the call's metadata, and the details that other languages read."""

    async def answer(_request: Any, context: Context) -> Any:
        context.add_trailing_metadata("x-oven", "3")
        raise Burnt(name="bread", degrees=300)

    client = await servers.leaf(Answer=answer)
    with pytest.raises(Burnt) as caught:
        await client.Answer(AnswerRequest())
    error = caught.value
    assert isinstance(error, aio.AioRpcError)
    assert isinstance(error, DeclaredError)
    assert (error.name, error.degrees) == ("bread", 300)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "bread is SHADE_UNSPECIFIED, at 300 degrees"
    metadata = error.trailing_metadata()
    assert metadata is not None
    assert metadata["x-oven"] == "3"
    info = error_details_pb2.ErrorInfo()
    assert status_of(error).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("BURNT", "probe.v1")
    assert info.metadata["name"] == "bread"


async def test_a_declared_error_ends_a_stream_as_its_class(servers: Any) -> None:
    """Both for `async for` and for `read`, after the messages that came before it."""

    async def watch(_request: Any, _context: Context) -> Any:
        yield WatchResponse(number=1)
        raise Burnt(name="bread")

    client = await servers.leaf(Watch=watch)
    numbers = []
    with pytest.raises(Burnt):  # noqa: PT012 - the loop is what raises
        async for response in client.Watch(WatchRequest()):
            numbers.append(response.number)  # noqa: PERF401 - a comprehension would lose them
    assert numbers == [1]
    call = client.Watch(WatchRequest())
    assert (await call.read()).number == 1
    with pytest.raises(Burnt):
        await call.read()


async def test_an_error_that_the_method_does_not_list_is_internal(servers: Any) -> None:
    """The log has the line that the contract lacks; the caller hears nothing of it."""

    async def answer(_request: Any, _context: Context) -> Any:
        raise Refused

    client = await servers.leaf(Answer=answer)
    with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
        await client.Answer(AnswerRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "refused" not in str(caught.value).lower()
    [line] = logs
    assert line["add_to_the_contract"] == 'option (protomesh.v1.method) = {errors: "probe.v1.Refused"};'
    assert line["error_id"] in (caught.value.details() or "")


async def test_the_text_of_an_exception_never_reaches_the_caller(servers: Any) -> None:
    """The caller gets an id, and the log has the exception under it."""

    async def answer(_request: Any, _context: Context) -> Any:
        raise ValueError("password=hunter2")

    async def watch(_request: Any, _context: Context) -> Any:
        yield WatchResponse()
        raise ValueError("password=hunter2")

    client = await servers.leaf(Answer=answer, Watch=watch)
    for call in (lambda: client.Answer(AnswerRequest()), lambda: _last(client.Watch(WatchRequest()))):
        with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
            await call()
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "hunter2" not in repr(caught.value)
        assert "hunter2" not in repr(caught.value.trailing_metadata())
        [line] = logs
        assert str(line["exc_info"]) == "password=hunter2"
        assert line["error_id"] in (caught.value.details() or "")


async def test_an_answer_of_the_wrong_type_is_internal(servers: Any) -> None:
    """A handler that forgets to return, or yields another message, leaks no text of protobuf's."""

    async def answer(_request: Any, _context: Context) -> Any:
        return None

    async def watch(_request: Any, _context: Context) -> Any:
        yield "text"

    client = await servers.leaf(Answer=answer, Watch=watch)
    for call in (lambda: client.Answer(AnswerRequest()), lambda: _last(client.Watch(WatchRequest()))):
        with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
            await call()
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert (caught.value.details() or "").startswith("internal error ")
        assert isinstance(logs[0]["exc_info"], TypeError)


async def test_bytes_that_are_no_message_are_refused(servers: Any) -> None:
    """As gRPC's own status codes say: INTERNAL; it is no failure of the handler."""
    channel = await servers.leaf_channel()
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary("/probe.v1.LeafService/Answer")(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == "the request is no message of this method"


async def test_a_standard_status_arrives_as_it_is(servers: Any) -> None:
    """With text and details, for what the contract does not declare."""

    async def answer(_request: Any, _context: Context) -> Any:
        raise StatusError(grpc.StatusCode.ABORTED, "changed meanwhile", error_details_pb2.ErrorInfo(reason="STALE"))

    async def hurry(_request: Any, _context: Context) -> Any:
        raise StatusError.invalid("page_token", "is not one of ours")

    client = await servers.leaf(Answer=answer, Hurry=hurry)
    with pytest.raises(aio.AioRpcError) as aborted:
        await client.Answer(AnswerRequest())
    assert (aborted.value.code(), aborted.value.details()) == (grpc.StatusCode.ABORTED, "changed meanwhile")
    info = error_details_pb2.ErrorInfo()
    assert status_of(aborted.value).details[0].Unpack(info)
    assert info.reason == "STALE"
    with pytest.raises(aio.AioRpcError) as invalid:
        await client.Hurry(AnswerRequest())
    bad = error_details_pb2.BadRequest()
    assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status_of(invalid.value).details[0].Unpack(bad)
    assert bad.field_violations[0].field == "page_token"
    with pytest.raises(ValueError, match="OK is no error"):
        StatusError(grpc.StatusCode.OK, "fine")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.DEADLINE_EXCEEDED),
        (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL),
        (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL),
    ],
)
async def test_a_callees_error_is_never_passed_on_by_accident(
    servers: Any, code: grpc.StatusCode, told: grpc.StatusCode
) -> None:
    """Only that somebody did not answer is said on; and not so that Envoy repeats the call once more."""

    async def answer(_request: Any, _context: Context) -> Any:
        raise StatusError(code, "secret of the leaf")

    leaf = await servers.leaf(Answer=answer)

    async def ask(_request: Any, _context: Context) -> Any:
        return AskResponse(text=(await leaf.Answer(AnswerRequest())).text)

    front = await servers.front(Ask=ask)
    with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
        await front.Ask(AskRequest())
    assert caught.value.code() is told
    assert "secret" not in repr(caught.value)
    metadata = caught.value.trailing_metadata()
    assert metadata is not None
    assert ("x-envoy-ratelimited" in metadata) is (code is grpc.StatusCode.UNAVAILABLE)
    if told is grpc.StatusCode.INTERNAL:
        assert logs[0]["exc_info"].details() == "secret of the leaf"


async def test_a_callees_declared_error_is_internal_unless_the_method_lists_it(servers: Any) -> None:
    """And a handler that means it raises its own, from the callee's."""

    async def answer(_request: Any, _context: Context) -> Any:
        raise Burnt(name="bread")

    leaf = await servers.leaf(Answer=answer)

    async def ask(request: Any, _context: Context) -> Any:
        try:
            return AskResponse(text=(await leaf.Answer(AnswerRequest())).text)
        except Burnt as burnt:
            if request.text == "translate":
                raise Refused from burnt
            raise

    front = await servers.front(Ask=ask)
    with capture_logs() as logs, pytest.raises(aio.AioRpcError) as caught:
        await front.Ask(AskRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert not isinstance(caught.value, DeclaredError)
    assert isinstance(logs[0]["exc_info"], Burnt)
    with pytest.raises(Refused):
        await front.Ask(AskRequest(text="translate"))


async def test_an_error_that_nobody_knows_stays_an_error_of_grpcs(servers: Any) -> None:
    """Details of another mesh, or cut ones, do no harm."""

    async def answer(_request: Any, context: Context) -> Any:
        context.add_trailing_metadata("grpc-status-details-bin", b"\xff")
        raise ValueError

    client = await servers.leaf(Answer=answer)
    with capture_logs(), pytest.raises(aio.AioRpcError) as caught:
        await client.Answer(AnswerRequest())
    assert type(caught.value) is aio.AioRpcError
    assert status_of(caught.value).code == grpc.StatusCode.INTERNAL.value[0]


async def _last(stream: Any) -> Any:
    last = AnswerResponse()
    async for response in stream:
        last = response
    return last
