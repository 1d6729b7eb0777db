"""Clients that mean harm: HTTP/2 by hand, on one connection."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.integration.envoy.lab import SERVICE

__all__ = ["Hostile", "hostile"]


class Hostile:
    """A connection whose frames go out as they are made; `h2` makes them, and what it would not make is bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int) -> None:
        self._reader = reader
        self._writer = writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.h2.initiate_connection()

    async def send(self, content: bytes = b"") -> bool:
        """Sends what was made, and then these bytes. False once the connection is closed from the other side."""
        try:
            self._writer.write(self.h2.data_to_send() + content)
            await self._writer.drain()
        except ConnectionError:
            return False
        return not self._reader.at_eof()

    async def closed(self, *, within: float) -> bool:
        """Whether the other side closes within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while await self._reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    async def answer(self) -> list[h2.events.Event]:
        """What comes back, until a stream is reset."""
        heard: list[h2.events.Event] = []
        async with asyncio.timeout(10):
            while not any(isinstance(event, h2.events.StreamReset) for event in heard):
                heard += self.h2.receive_data(await self._reader.read(65536))
        return heard

    def call(self, name: str, message: bytes | None = b"", *, end: bool = True) -> int:
        """Begins a gRPC call; its stream. Without a message nothing follows the headers."""
        stream = self.h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "lab"),
            (":path", f"/{SERVICE}/{name}"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        self.h2.send_headers(stream, headers)
        if message is not None:
            self.h2.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=end)
        return stream


@asynccontextmanager
async def hostile(address: str, *, window: int = 65535) -> AsyncGenerator[Hostile]:
    """Connects; each answer may have `window` bytes before we say that we want more."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Hostile(reader, writer, window)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()
