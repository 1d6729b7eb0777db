import asyncio
import base64
from typing import Any

import grpc
import h2.connection
import h2.events
import httpx
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.integration.envoy.lab import Item, Lab, OutOfItems

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_path_and_query_become_fields(http: httpx.AsyncClient) -> None:
    """A path variable, and a query in which '+' is a space and %2B a plus."""
    answer = await http.get("/v1/items/7?note=a+b%2Bc")
    assert (answer.status_code, answer.json()) == (200, {"id": "7", "note": "a b+c"})


async def test_a_body_becomes_the_message(http: httpx.AsyncClient) -> None:
    """JSON in, JSON out."""
    answer = await http.post("/v1/items", json={"id": "8", "note": "new"})
    assert (answer.status_code, answer.json()) == (200, {"id": "8", "note": "new"})
    assert answer.headers["content-type"] == "application/json"


async def test_an_unknown_parameter_is_a_bad_request(http: httpx.AsyncClient) -> None:
    """A misspelt parameter is not dropped in silence; the answer names it, as google.rpc.Status."""
    answer = await http.get("/v1/items/7?notes=x")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert "notes" in answer.json()["message"]


async def test_an_unknown_field_of_a_body_is_dropped(lab: Lab, http: httpx.AsyncClient) -> None:
    """As Envoy's transcoder does it, which knows no other way: decision 0023. A value of the wrong type is refused."""
    answer = await http.post("/v1/items", json={"id": "8", "notes": "misspelt"})
    assert (answer.status_code, answer.json()) == (200, {"id": "8"})
    before = lab.backend.calls["CreateItem"]
    answer = await http.post("/v1/items", json={"id": {"a": 1}})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert lab.backend.calls["CreateItem"] == before


async def test_malformed_json_is_a_bad_request(http: httpx.AsyncClient) -> None:
    """A body that is no JSON reaches no service."""
    answer = await http.post("/v1/items", content=b'{"id": ', headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


async def test_a_path_that_nothing_answers(http: httpx.AsyncClient) -> None:
    """An unknown path is NOT_FOUND as google.rpc.Status."""
    answer = await http.get("/v1/nothing")
    assert (answer.status_code, answer.json()) == (404, {"code": 5, "message": "nothing answers at this path"})


async def test_errors_keep_their_code_and_details(lab: Lab, http: httpx.AsyncClient) -> None:
    """A declared error and a standard detail arrive as JSON, by the names of their messages."""

    async def refuse(_: Any, context: Any) -> None:
        details = [any_pb2.Any(), any_pb2.Any()]
        details[0].Pack(error_details_pb2.ErrorInfo(reason="OUT_OF_ITEMS", domain="lab.v1"))
        details[1].Pack(OutOfItems(id="7", left=2))
        await context.abort_with_status(
            rpc_status.to_status(status_pb2.Status(code=9, message="only 2 left", details=details))
        )

    with lab.backend.on("GetItem", refuse):
        answer = await http.get("/v1/items/7")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 9,
        "message": "only 2 left",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "OUT_OF_ITEMS", "domain": "lab.v1"},
            {"@type": "type.googleapis.com/lab.v1.OutOfItems", "id": "7", "left": 2},
        ],
    }


async def test_a_stream_is_json_line_by_line(http: httpx.AsyncClient) -> None:
    """Each message is a line, so that a stream which breaks off can't look complete."""
    answer = await http.get("/v1/items:watch")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.text.splitlines() == ['{"id":"0"}', '{"id":"1"}', '{"id":"2"}']


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_a_stream_that_fails_at_once_is_one_status(lab: Lab, http: httpx.AsyncClient, accept: str) -> None:
    """In JSON and called so: there is no stream yet, whatever the caller accepts."""

    async def refuse(_: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.NOT_FOUND, "nothing to watch")
        yield Item()

    with lab.backend.on("WatchItems", refuse):
        answer = await http.get("/v1/items:watch", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json() == {"code": 5, "message": "nothing to watch"}


async def test_a_stream_is_server_sent_events_for_who_accepts_them(http: httpx.AsyncClient) -> None:
    """EventSource in a browser reads it."""
    answer = await http.get("/v1/items:watch", headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.split("\n\n") == ['data: {"id":"0"}', 'data: {"id":"1"}', 'data: {"id":"2"}', ""]


@pytest.mark.parametrize(
    ("accept", "messages"), [("*/*", b'{"id":"1"}\n'), ("text/event-stream", b'data: {"id":"1"}\n\n')]
)
async def test_how_a_stream_ended_is_in_the_trailers(lab: Lab, accept: str, messages: bytes) -> None:
    """HTTP 200 has been said by then, and the body is the method's messages and nothing else: decision 0024."""
    details = status_pb2.Status(code=14, message="the worker is going away")
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason="STREAM_DRAINED", domain="protomesh"))

    async def watch(_: Any, context: Any) -> Any:
        yield Item(id="1")
        await context.abort_with_status(rpc_status.to_status(details))

    async def leave(_: Any, __: Any) -> Any:
        yield Item(id="1")

    for handler, status in ((watch, 14), (leave, 0)):
        with lab.backend.on("WatchItems", handler):
            for body, trailers in (await _by_http1(lab, accept), await _by_http2(lab, accept)):
                assert body == messages
                assert trailers["grpc-status"] == str(status)
                told = trailers.get("grpc-status-details-bin", "")
                found = status_pb2.Status.FromString(base64.b64decode(told + "=" * (-len(told) % 4)))
                assert found == (details if status else status_pb2.Status())


async def _by_http1(lab: Lab, accept: str) -> tuple[bytes, dict[str, str]]:
    """The body of the stream, and the trailers behind its chunks."""
    reader, writer = await asyncio.open_connection(*lab.address.split(":"))
    writer.write(f"GET /v1/items:watch HTTP/1.1\r\nhost: lab\r\naccept: {accept}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    trailers = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(": ")
        trailers[name] = value
    writer.close()
    return body, trailers


async def _by_http2(lab: Lab, accept: str) -> tuple[bytes, dict[str, str]]:
    """The same, where a frame of headers ends the stream."""
    reader, writer = await asyncio.open_connection(*lab.address.split(":"))
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    headers = {":method": "GET", ":path": "/v1/items:watch", ":scheme": "http", ":authority": "lab", "accept": accept}
    connection.send_headers(1, list(headers.items()), end_stream=True)
    body, trailers = b"", None
    while trailers is None:
        writer.write(connection.data_to_send())
        for event in connection.receive_data(await reader.read(65536)):
            if isinstance(event, h2.events.DataReceived):
                body += event.data
            elif isinstance(event, h2.events.TrailersReceived):
                trailers = {name.decode(): value.decode() for name, value in event.headers}
            assert not isinstance(event, h2.events.StreamReset)
    writer.close()
    return body, trailers


async def test_messages_of_a_stream_arrive_as_they_are_sent(lab: Lab, http: httpx.AsyncClient) -> None:
    """The first event is read while the service has not yet sent the second."""
    read = asyncio.Event()

    async def watch(_: Any, __: Any) -> Any:
        yield Item(id="first")
        await read.wait()
        yield Item(id="second")

    with lab.backend.on("WatchItems", watch):
        async with http.stream("GET", "/v1/items:watch") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == '{"id":"first"}'
            read.set()
            assert await anext(lines) == '{"id":"second"}'


async def test_a_large_body_is_translated(http: httpx.AsyncClient) -> None:
    """Up to the method's limit, not only up to what Envoy buffers by default."""
    note = "x" * (3 * 1024 * 1024)
    answer = await http.post("/v1/items", json={"note": note})
    assert (answer.status_code, len(answer.json()["note"])) == (200, len(note))


async def test_a_service_that_is_gone_is_unavailable(lab: Lab, http: httpx.AsyncClient) -> None:
    """UNAVAILABLE of the service is 503 with its message, in google.rpc.Status."""

    async def refuse(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    with lab.backend.on("CreateItem", refuse):
        answer = await http.post("/v1/items", json={})
    assert (answer.status_code, answer.json()) == (503, {"code": 14, "message": "not now"})
