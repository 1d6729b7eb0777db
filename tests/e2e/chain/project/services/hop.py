"""What every service of the chain does."""

import asyncio

from chain.v1 import Hop, Knobs

from protomesh.runtime import Context


async def arrive(service: str, knobs: Knobs, context: Context) -> Hop:
    """Says who called and how much time was left, and waits as long as the call wants it."""
    assert context.time_remaining is not None
    remaining = int(context.time_remaining.total_seconds() * 1000)
    await asyncio.sleep(knobs.delay_ms / 1000)
    return Hop(service=service, caller=context.caller, remaining_ms=remaining)
