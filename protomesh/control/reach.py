"""What can be reached: endpoints that Envoy itself has found healthy, and gateways that take connections."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from protomesh.model import TcpAddress
from protomesh.proxy import ProxyError, Statistics

__all__ = ["accepts", "unreached", "wait_reached"]

_FIRST_POLL = 0.005  # seconds
_LONGEST_POLL = 0.1
_UNFIT = ("failed_active_health_check", "pending_active_hc")


async def wait_reached(statistics: Statistics, service: str, addresses: Iterable[str], *, limit: float) -> None:
    """Waits until Envoy sends calls to each of these addresses of a service.

    An acknowledgement is not enough: a new endpoint gets no call before its first health check has passed, and a
    service whose old endpoints are taken away before that has none at all.

    Raises:
        TimeoutError: some did not pass within `limit` seconds.
    """
    wanted = set(addresses)
    deadline = time.monotonic() + limit
    pause = _FIRST_POLL
    while missing := wanted - await _healthy(statistics, service):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Envoy's health check of {', '.join(sorted(missing))} does not pass")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_POLL)


async def unreached(statistics: Statistics, services: Iterable[str]) -> list[str]:
    """Those of the services that have no endpoint which Envoy sends calls to."""
    clusters = await _clusters(statistics)
    return [name for name in services if not _fit(clusters.get(name, ()))]


async def accepts(address: TcpAddress) -> bool:
    """Whether somebody takes connections there."""
    where = address.from_here
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(where.host, where.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _healthy(statistics: Statistics, service: str) -> set[str]:
    return _fit((await _clusters(statistics)).get(service, ()))


async def _clusters(statistics: Statistics) -> Mapping[str, list[Any]]:
    """The hosts of each cluster; none while Envoy does not answer: it may be starting again."""
    try:
        content = json.loads(await statistics.get("/clusters?format=json"))
    except (OSError, TimeoutError, ProxyError):
        return {}
    return {cluster["name"]: cluster.get("host_statuses", []) for cluster in content.get("cluster_statuses", [])}


def _fit(hosts: Iterable[Any]) -> set[str]:
    return {_address(host["address"]) for host in hosts if not any(host["health_status"].get(flag) for flag in _UNFIT)}


def _address(address: Mapping[str, Any]) -> str:
    """As `str()` of a model address spells it."""
    if "pipe" in address:
        return f"unix:{address['pipe']['path']}"
    socket = address["socket_address"]
    host = socket["address"]
    return f"[{host}]:{socket['port_value']}" if ":" in host else f"{host}:{socket['port_value']}"
