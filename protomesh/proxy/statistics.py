"""What Envoy counts, asked over its administration socket."""

import asyncio
from urllib.parse import quote

from protomesh.proxy.errors import ProxyError

__all__ = ["Statistics", "ask"]

_OK = 200
_OWN = "http.admin."  # the calls of whoever asks are no calls of the mesh


class Statistics:
    """Envoy's administration interface, as far as it only tells.

    Each call opens a connection of its own and is bounded by `timeout` seconds, so that a stuck Envoy can't hold
    anyone. Names are Envoy's: `cluster.catalog.upstream_rq_total`.

    Raises:
        OSError: nobody listens on the socket.
        ProxyError: Envoy answers with an error.
    """

    def __init__(self, admin_socket: str, *, timeout: float = 5) -> None:
        self._socket = admin_socket
        self._timeout = timeout

    async def ready(self) -> bool:
        """Whether Envoy is LIVE: it has its first configuration and takes calls. False where nobody listens."""
        try:
            status, _ = await self._get("/ready")
        except (OSError, TimeoutError, ProxyError):
            return False
        return status == _OK

    async def counters(self, pattern: str = "") -> dict[str, int]:
        """Counters by name, those whose name the regular expression finds."""
        return await self._numbers("Counters", pattern)

    async def gauges(self, pattern: str = "") -> dict[str, int]:
        """Gauges by name, those whose name the regular expression finds."""
        return await self._numbers("Gauges", pattern)

    async def calls_in_progress(self) -> int:
        """How many calls are open at its listeners now: at the edge, and from service to service."""
        open_calls = await self.gauges(r"^http\..*\.downstream_rq_active$")
        return sum(count for name, count in open_calls.items() if not name.startswith(_OWN))

    async def prometheus(self) -> str:
        """Everything that was used since the start, in Prometheus's text format."""
        return await self.get("/stats/prometheus?usedonly")

    async def get(self, path: str) -> str:
        """The body that the administration interface answers a path with, as `/clusters` or `/config_dump`."""
        status, body = await self._get(path)
        if status != _OK:
            raise ProxyError(f"Envoy answers {status} to {path}: {body.strip()}")
        return body

    async def _numbers(self, kind: str, pattern: str) -> dict[str, int]:
        body = await self.get(f"/stats?type={kind}&filter={quote(pattern, safe='')}")
        pairs = (line.rpartition(": ") for line in body.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdigit()}

    async def _get(self, path: str) -> tuple[int, str]:
        return await ask(self._socket, "GET", path, limit=self._timeout)


async def ask(admin_socket: str, verb: str, path: str, *, limit: float) -> tuple[int, str]:
    """One request to the administration interface, on a connection of its own. Returns HTTP status and body.

    Raises:
        OSError: nobody listens on the socket.
        TimeoutError: it took longer than `limit` seconds.
        ProxyError: the connection was closed without an answer.
    """
    async with asyncio.timeout(limit):
        reader, writer = await asyncio.open_unix_connection(admin_socket)
        try:
            writer.write(f"{verb} {path} HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return await _response(reader)
        finally:
            writer.close()


async def _response(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Reads one HTTP/1.1 response to its end. Envoy sends its answers in chunks."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        raise ProxyError("Envoy closed its administration connection without an answer") from None
    status_line, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = bytearray()
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
    elif "content-length" in headers:
        body = bytearray(await reader.readexactly(int(headers["content-length"])))
    else:
        body = bytearray(await reader.read())
    return int(status_line.split(" ")[1]), body.decode(errors="replace")
