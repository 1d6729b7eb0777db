"""gRPC-Web, spoken by hand: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md."""

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.envoy.lab import SERVICE, Item, ItemRequest

__all__ = ["Answer", "call"]

_TRAILERS = 0x80  # the flag of the frame that holds them


@dataclass(frozen=True)
class Answer:
    """What a call was answered with."""

    response: httpx.Response
    messages: list[Any]
    status: int
    details: str


async def call(
    client: httpx.AsyncClient,
    name: str,
    *,
    text: bool = False,
    origin: str = "",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Answer:
    """Calls a method; in base64 if `text`."""
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    message = ItemRequest(**fields).SerializeToString()
    body = b"\0" + len(message).to_bytes(4, "big") + message
    sent = {"content-type": kind, "accept": kind, "x-grpc-web": "1"} | (headers or {})
    if origin:
        sent["origin"] = origin
    content = base64.b64encode(body) if text else body
    response = await client.post(f"/{SERVICE}/{name}", content=content, headers=sent)
    messages, trailers = _frames(_decoded(response.content) if text else response.content)
    found = {**response.headers, **trailers}
    return Answer(response, messages, int(found["grpc-status"]), found.get("grpc-message", ""))


def _decoded(content: bytes) -> bytes:
    """Each part is padded by itself, so base64 is taken in its groups of four."""
    return b"".join(base64.b64decode(content[at : at + 4]) for at in range(0, len(content), 4))


def _frames(content: bytes) -> tuple[list[Any], dict[str, str]]:
    messages, trailers = [], {}
    while content:
        flag, length = content[0], int.from_bytes(content[1:5], "big")
        frame, content = content[5 : 5 + length], content[5 + length :]
        if flag & _TRAILERS:
            pairs = (line.partition(":") for line in frame.decode().split("\r\n") if line)
            trailers = {name.lower(): value.strip() for name, _, value in pairs}
        else:
            messages.append(Item.FromString(frame))
    return messages, trailers
