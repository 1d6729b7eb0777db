import asyncio

import httpx
import pytest

from tests.integration.envoy.lab import SERVICE, ItemRequest, Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRPC = {"content-type": "application/grpc", "te": "trailers"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\0\x01\x02\x03 nothing of this is HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: lab\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: lab\r\nx: a\0b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: lab\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: lab\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
        PREFACE + b"\0\0\0\x04\0\0\0\0\0" + b"\xff" * 64,
    ],
    ids=["noise", "header without a colon", "NUL", "two lengths", "large header", "HTTP/2 noise"],
)
async def test_what_is_no_request_is_refused_and_harms_nobody(
    lab: Lab, http: httpx.AsyncClient, content: bytes
) -> None:
    """The connection ends, with a 4xx where HTTP/1.1 has begun; the next call is answered; no service heard of it."""
    before = lab.backend.calls.total()
    reader, writer = await asyncio.open_connection(*lab.address.split(":"))
    writer.write(content)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 4") or content.startswith(PREFACE)
    assert lab.backend.calls.total() == before
    assert (await http.get("/v1/items/7")).status_code == 200
    assert lab.envoy.running


async def test_a_frame_that_is_cut_ends_with_a_status(lab: Lab, http2: httpx.AsyncClient) -> None:
    """A message of 100 bytes is announced, three come, the request ends: its server would wait for ever."""
    answer = await http2.post(f"/{SERVICE}/SlowItem", content=b"\0\0\0\0\x64abc", headers=GRPC)
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "4")
    assert lab.envoy.running


@pytest.mark.parametrize(
    "content",
    [b"\0\0\0\0\x03\xff\xff\xff", b"\x01\0\0\0\x03abc"],
    ids=["no message", "compressed, and nobody said how"],
)
async def test_a_message_that_is_none_ends_with_a_status(lab: Lab, http2: httpx.AsyncClient, content: bytes) -> None:
    """The service's own refusal arrives; the handler never runs."""
    before = lab.backend.calls["GetItem"]
    answer = await http2.post(f"/{SERVICE}/GetItem", content=content, headers=GRPC)
    assert answer.status_code == 200
    assert answer.headers["grpc-status"] not in {"0", "14"}
    assert lab.backend.calls["GetItem"] == before


async def test_grpc_over_http1_is_answered(http: httpx.AsyncClient) -> None:
    """Some proxies make HTTP/1.1 of it; there are no trailers then, but there is a status."""
    message = ItemRequest(id="7").SerializeToString()
    body = b"\0" + len(message).to_bytes(4, "big") + message
    answer = await http.post(f"/{SERVICE}/GetItem", content=body, headers=GRPC)
    assert answer.status_code == 200
    assert message in answer.content
