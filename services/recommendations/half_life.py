"""The half-life that an operator chooses, and what was counted with another one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from protomesh.runtime.store import Database
from services.recommendations import store
from services.recommendations.domain import Decay

__all__ = ["keep_half_life"]

_log = structlog.get_logger(__name__)


async def keep_half_life(db: Database, half_life: timedelta, now: Callable[[], datetime]) -> None:
    """Makes orders fade by `half_life` from now on, whatever the half-life was. Nothing is counted anew.

    Called when a worker starts. Workers that run read it with every order, so none counts by an older one.
    """
    async with db.begin() as tx:
        decay = await store.decay_of(tx)
        if decay is None:
            await store.put_decay(tx, Decay(half_life=half_life, anchor_time=now()))
        elif decay.half_life != half_life:
            await store.put_decay(tx, decay.with_half_life(half_life, now()))
            _log.info("half-life changed", before=str(decay.half_life), after=str(half_life))
