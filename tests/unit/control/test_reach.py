import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from protomesh.control.reach import accepts, unreached, wait_reached
from protomesh.model import TcpAddress
from protomesh.proxy import Statistics

Clusters = dict[str, list[Any]]


def host(address: str, **flags: bool) -> Any:
    """A host of a cluster, as Envoy's /clusters shows it."""
    if address.startswith("unix:"):
        where: Any = {"pipe": {"path": address.removeprefix("unix:")}}
    else:
        name, _, port = address.rpartition(":")
        where = {"socket_address": {"address": name.strip("[]"), "port_value": int(port)}}
    return {"address": where, "health_status": {"eds_health_status": "HEALTHY", **flags}}


@asynccontextmanager
async def envoy(directory: Path, *answers: Clusters | None) -> AsyncGenerator[tuple[Statistics, Callable[[], int]]]:
    """An administration socket that shows these clusters one after another and then the last ones for good.

    None is an Envoy that is not ready to tell. Yields also how often it was asked.
    """
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        clusters = answers[min(asked, len(answers) - 1)]
        asked += 1
        statuses = [{"name": name, "host_statuses": hosts} for name, hosts in (clusters or {}).items()]
        body = json.dumps({"cluster_statuses": statuses}).encode()
        status = b"503 Service Unavailable" if clusters is None else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, directory / "admin.sock"):
        yield Statistics(str(directory / "admin.sock")), lambda: asked


@pytest.mark.parametrize("address", ["unix:/run/a.sock", "127.0.0.1:9000", "[::1]:9000"])
async def test_an_address_is_reached_once_its_check_has_passed(run_directory: Path, address: str) -> None:
    """Pending and failed ones get no calls; addresses are spelled as the model spells them."""
    answers: Sequence[Clusters | None] = (
        None,
        {},
        {"stock": [host(address, pending_active_hc=True)]},
        {"stock": [host(address, failed_active_health_check=True)]},
        {"stock": [host(address)]},
    )
    async with envoy(run_directory, *answers) as (statistics, asked):
        await wait_reached(statistics, "stock", [address], limit=10)

        assert asked() == len(answers)


async def test_every_address_has_to_be_reached(run_directory: Path) -> None:
    """The error names those that are not, and nobody waits for longer than the limit."""
    clusters = {"stock": [host("unix:/run/a.sock"), host("unix:/run/b.sock", failed_active_health_check=True)]}
    async with envoy(run_directory, clusters) as (statistics, _):
        with pytest.raises(TimeoutError, match=r"health check of unix:/run/b\.sock does not pass"):
            await wait_reached(statistics, "stock", ["unix:/run/a.sock", "unix:/run/b.sock"], limit=0.05)


async def test_nothing_to_reach_is_reached_at_once(run_directory: Path) -> None:
    """A service whose endpoints only became fewer."""
    async with envoy(run_directory, {}) as (statistics, _):
        await wait_reached(statistics, "stock", [], limit=0)


async def test_a_service_is_reached_by_one_endpoint(run_directory: Path) -> None:
    """Those without a fit one are named; so are all where Envoy does not answer."""
    clusters = {
        "stock": [host("unix:/run/a.sock", pending_active_hc=True), host("unix:/run/b.sock")],
        "orders": [host("unix:/run/c.sock", failed_active_health_check=True)],
    }
    async with envoy(run_directory, clusters) as (statistics, _):
        assert await unreached(statistics, ["stock", "orders", "payments"]) == ["orders", "payments"]

    assert await unreached(Statistics(str(run_directory / "nobody.sock")), ["stock"]) == ["stock"]


@pytest.mark.parametrize("wildcard", [False, True])
async def test_a_gateway_accepts_where_somebody_listens(wildcard: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A gateway on every address is asked on loopback."""
    listened = "0.0.0.0" if wildcard else "127.0.0.1"

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(serve, listened, 0) as server:
        address = TcpAddress(listened, server.sockets[0].getsockname()[1])
        assert await accepts(address)

    assert not await accepts(address)
