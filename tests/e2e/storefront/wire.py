"""What lies between a browser and the gateway, so that it can break."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Wire", "laid"]


@dataclass
class Wire:
    """Carries bytes both ways, until it is cut. It has a port of its own, which it keeps."""

    gateway: tuple[str, int]
    port: int = 0
    carried: int = 0  # bytes to the browser
    deaf: bool = False  # whether what the gateway answers is lost
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def mend(self) -> None:
        """Carries on."""
        self.deaf = False
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Breaks every connection in the middle of whatever it carries, and lets no other through."""
        assert self._server is not None
        self._server.close()
        self._server = None
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            answers, far = await asyncio.open_connection(*self.gateway)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far))
                both.create_task(self._pump(answers, writer, counted=True))
        except* (OSError, asyncio.CancelledError):
            pass  # one of the two has gone, or the wire is cut
        finally:
            self._connections.discard(task)
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool = False) -> None:
        while content := await source.read(65536):
            if counted:
                self.carried += len(content)
                if self.deaf:
                    continue
            target.write(content)
            await target.drain()
        raise ConnectionResetError  # the other direction ends with it


@asynccontextmanager
async def laid(gateway: str) -> AsyncGenerator[Wire]:
    """A wire to a gateway, whole at first."""
    host, _, port = gateway.rpartition(":")
    wire = Wire((host, int(port)))
    await wire.mend()
    try:
        yield wire
    finally:
        await wire.mend()
        await wire.cut()
