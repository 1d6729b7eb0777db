"""A real browser, Debian's Chromium, for every test of a web page."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

__all__ = ["BrowserNotFound", "running_browser"]

_FLAGS = (
    "--no-sandbox",  # as root it refuses to start with one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # It is here for the mesh and asks nobody else for anything.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class BrowserNotFound(RuntimeError):  # noqa: N818 - it says what is wrong
    """There is no browser that the tests could run; the text says where one comes from."""


def _browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise BrowserNotFound(
        "The tests of web pages need Chromium. On Debian `scripts/test-deps` installs it; elsewhere put `chromium` or "
        "`google-chrome` on PATH."
    )


@asynccontextmanager
async def running_browser() -> AsyncGenerator[Browser]:
    """Raises BrowserNotFound."""
    program = _browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()
