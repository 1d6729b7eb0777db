from typing import Any

import grpc
import httpx
import pytest

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
async def test_a_unary_call(http: httpx.AsyncClient, http2: httpx.AsyncClient, *, text: bool) -> None:
    """Browsers call in both forms, over both versions of HTTP."""
    for client, version in ((http, "HTTP/1.1"), (http2, "HTTP/2")):
        answer = await grpc_web.call(client, "GetItem", text=text, id="7", note="ä")
        assert answer.response.http_version == version
        assert (answer.status, [(item.id, item.note) for item in answer.messages]) == (0, [("7", "ä")])


async def test_a_stream(http: httpx.AsyncClient) -> None:
    """A server's stream arrives message by message, its status at the end."""
    answer = await grpc_web.call(http, "WatchItems", note="x")
    assert (answer.status, [item.id for item in answer.messages]) == (0, ["0", "1", "2"])


async def test_an_error_keeps_its_code_and_message(lab: Lab, http: httpx.AsyncClient) -> None:
    """What the service raises arrives in the trailers."""

    async def refuse(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "only 2 left")

    with lab.backend.on("GetItem", refuse):
        answer = await grpc_web.call(http, "GetItem", id="7")
    assert (answer.status, answer.details) == (9, "only 2 left")
