"""Web pages of two origins that call the mesh in a browser."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

__all__ = ["Web", "decoded", "encoded", "opened", "running_web"]

_SCRIPT = Path(__file__).with_name("page.js")


class Web:
    """Serves one page at two origins, which differ in the name of the host only."""

    def __init__(self, port: int) -> None:
        self.friend = f"http://127.0.0.1:{port}"
        self.stranger = f"http://localhost:{port}"


@asynccontextmanager
async def running_web() -> AsyncGenerator[Web]:
    """The server that the page comes from."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f"<!doctype html><title>page</title><link rel=icon href=data:,><script>{_SCRIPT.read_text()}</script>"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield Web(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def opened(browser: Browser, origin: str) -> AsyncGenerator[Page]:
    """The page, come from an origin, in a profile of its own. It takes the mesh's certificate as it is."""
    context = await browser.new_context(ignore_https_errors=True)
    try:
        page = await context.new_page()
        await page.goto(f"{origin}/")
        yield page
    finally:
        await context.close()


def encoded(message: Any) -> str:
    """A message as the page takes it."""
    return base64.b64encode(message.SerializeToString()).decode()


def decoded(message_type: Any, text: str) -> Any:
    """A message as the page has read it."""
    return message_type.FromString(base64.b64decode(text))
