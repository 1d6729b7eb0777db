from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.integration.envoy.lab import Lab, running_lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    """One Envoy before one backend, for all tests that change nothing but what the backend does."""
    async with running_lab() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the edge by HTTP/1.1, as curl and browsers are."""
    async with httpx.AsyncClient(base_url=lab.url, timeout=10) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http2(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the edge by HTTP/2 without TLS."""
    async with httpx.AsyncClient(base_url=lab.url, timeout=10, http1=False, http2=True) as client:
        yield client
