"""Waiting for Envoy to find endpoints healthy: it has them a moment before it calls them."""

import asyncio

from protomesh.proxy import EnvoyProcess


async def wait_healthy(envoy: EnvoyProcess, service: str, hosts: int) -> None:
    """Waits until Envoy itself has seen so many endpoints of a service answer."""
    gauge = f"cluster.{service}.membership_healthy"
    async with asyncio.timeout(10):
        while (await envoy.statistics.gauges(rf"^cluster\.{service}\.membership_healthy$")) != {gauge: hosts}:
            await asyncio.sleep(0.02)
