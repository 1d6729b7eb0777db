"""gRPC-Web as a browser's client speaks it: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from google.rpc import status_pb2

_TRAILERS = 0x80  # the flag of the frame that holds them
_PREFIX = 5  # flag and length of a frame


class Answer:
    """What comes back: messages as bytes, then how the call ended.

    `trailers` are those of the last frame. An answer without a body has its status in the HTTP headers instead.
    """

    def __init__(self, response: httpx.Response, *, text: bool) -> None:
        self.response = response
        self.trailers: dict[str, str] = {}
        self._text = text
        self._encoded = b""
        self._buffer = b""

    async def messages(self) -> AsyncIterator[bytes]:
        """Yields each message once it is whole; the frame of the trailers ends them."""
        async for chunk in self.response.aiter_bytes():
            self._buffer += self._decoded(chunk)
            while len(self._buffer) >= _PREFIX:
                flag, end = self._buffer[0], _PREFIX + int.from_bytes(self._buffer[1:_PREFIX], "big")
                if len(self._buffer) < end:
                    break
                frame, self._buffer = self._buffer[_PREFIX:end], self._buffer[end:]
                assert not self.trailers, "nothing comes after the trailers"
                if flag & _TRAILERS:
                    self.trailers = _pairs(frame)
                else:
                    yield frame
        assert self._buffer + self._encoded == b"", "the last frame is whole"

    @property
    def status(self) -> status_pb2.Status:
        """How the call ended, once all messages are read."""
        found: Mapping[str, str] = self.trailers or self.response.headers
        if details := found.get("grpc-status-details-bin"):
            return status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
        return status_pb2.Status(code=int(found["grpc-status"]), message=found.get("grpc-message", ""))

    def _decoded(self, chunk: bytes) -> bytes:
        if not self._text:
            return chunk
        # Each part of the answer is padded by itself, so base64 is taken in its groups of four.
        self._encoded += chunk
        whole = len(self._encoded) // 4 * 4
        ready, self._encoded = self._encoded[:whole], self._encoded[whole:]
        return b"".join(base64.b64decode(ready[at : at + 4]) for at in range(0, whole, 4))


@asynccontextmanager
async def call(
    client: httpx.AsyncClient, path: str, request: bytes, *, text: bool = False, **headers: str
) -> AsyncIterator[Answer]:
    """Calls /package.Service/Method with one message; in base64 if `text`. Names in `headers` have _ for -."""
    body = b"\0" + len(request).to_bytes(4, "big") + request
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    sent = {
        "content-type": kind,
        "accept": kind,
        "x-grpc-web": "1",
        "x-user-agent": "grpc-web-javascript/0.1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    content = base64.b64encode(body) if text else body
    async with client.stream("POST", path, content=content, headers=sent) as response:
        yield Answer(response, text=text)


def _pairs(frame: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in frame.decode("ascii").split("\r\n") if line)
    return {name.lower(): value.strip() for name, _, value in pairs}
